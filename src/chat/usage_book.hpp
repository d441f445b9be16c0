// UsageBook: gathers what answers took of which nothing is stored, and hands it to the store in one operation about every
// second: these rows add no commit of their own to an answer. A crash loses at most that second of them.
//
// One per shard. (The rows of stored answers are written by the transaction that ends them: RunStore::finish_run.)
#pragma once

#include <chrono>
#include <vector>

#include "chat/prices.hpp"
#include "meter/allowance.hpp"
#include "net/shard.hpp"
#include "net/task_group.hpp"
#include "store/usage_store.hpp"

namespace confab::chat {

inline constexpr std::chrono::milliseconds kUsageEvery{1'000};
inline constexpr std::size_t kUsageBatch = 1'000;      // rows in one operation
inline constexpr std::size_t kUsageRowsKept = 50'000;  // when the store takes none, a full disk for instance; then rows are lost

class UsageBook {
public:
    UsageBook(net::Shard& shard, store::UsageStore& store, const Prices& prices);

    const Prices& prices() const { return prices_; }

    // The cost and the time are filled in here; the ticket, which may be null, is charged.
    void add(store::UsageEntry entry, const meter::TicketPtr& ticket);

    // What is gathered goes to the store now. Waits for it.
    net::Task<void> close();

    std::size_t size() const { return entries_.size(); }

private:
    void tick(std::chrono::steady_clock::time_point now);
    net::Task<void> flush();

    store::UsageStore& store_;
    const Prices& prices_;
    std::vector<store::UsageEntry> entries_;
    net::TaskGroup tasks_;
    std::chrono::steady_clock::time_point next_flush_{};
    bool flushing_ = false;
    net::Ticker::Subscription tick_;  // last: it must not fire into a half-dead object
};

}  // namespace confab::chat
