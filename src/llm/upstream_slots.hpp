// UpstreamSlots: who may ask a model server now, and who waits. One for each server and process.
//
// The number of slots adapts to what the server bears (ConcurrencyLimit). Who finds none free waits in one line for all
// shards, first come, first served, for a bounded time in a bounded line. A mutex guards it, held for a few
// instructions at the beginning and the end of an exchange that takes seconds (ADR 0014).
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "llm/concurrency_limit.hpp"
#include "meter/counters.hpp"
#include "net/deadline.hpp"
#include "net/task.hpp"

namespace confab::llm {

inline constexpr std::size_t kSlotQueueMax = 1'000;      // requests that wait for one server
inline constexpr std::chrono::seconds kSlotWaitMax{30};  // for a slot; then the caller is told that the server is busy
inline constexpr std::chrono::seconds kBusyRetryAfter{5};        // what it is told to wait
inline constexpr std::chrono::milliseconds kSlotLookEvery{200};  // waiters look whether the limit has grown

class UpstreamSlots {
public:
    struct Counts {
        std::size_t limit = 0;
        std::size_t in_use = 0;
        std::size_t waiting = 0;
    };

    using Clock = std::function<ConcurrencyLimit::Time()>;

    // The clock by which the limit grows; any thread asks it.
    explicit UpstreamSlots(Clock clock = &std::chrono::steady_clock::now) : clock_(std::move(clock)) {}

    Counts counts() const;

    meter::Counter retries;   // requests sent again
    meter::Counter refusals;  // answers that lowered the limit, or would have
    meter::Counter busy;      // requests that were turned away

private:
    friend class SlotRequest;

    struct Waiter {
        enum class State : std::uint8_t { idle, waiting, holding };

        explicit Waiter(net::Executor its_executor) : executor(its_executor), timer(its_executor) {}

        net::Executor executor;
        net::Timer timer;  // only touched on the executor
        State state = State::idle;
        ConcurrencyLimit::Time granted_at{};
    };

    using WaiterPtr = std::shared_ptr<Waiter>;

    // False when the line is full.
    bool enter(const WaiterPtr& waiter);
    void leave(const WaiterPtr& waiter);
    bool holds(const WaiterPtr& waiter);
    void refused(const WaiterPtr& waiter);
    // With the mutex held. Wakes whoever gets a slot, except `caller`, which is awake.
    void grant(const WaiterPtr& caller);

    const Clock clock_;
    // tidy: allow mutex: one line for all shards; held for a few instructions twice in an exchange (ADR 0014)
    mutable std::mutex mutex_;
    ConcurrencyLimit limit_;
    std::deque<WaiterPtr> queue_;
    std::size_t in_use_ = 0;
};

// One place: waits for a slot, then holds it until destroyed. Lives on one shard.
class SlotRequest {
public:
    SlotRequest(std::shared_ptr<UpstreamSlots> slots, net::Executor executor);
    SlotRequest(const SlotRequest&) = delete;
    SlotRequest& operator=(const SlotRequest&) = delete;
    ~SlotRequest();

    // Errors: unavailable (upstream_busy) when too many wait, or for too long; cancelled.
    net::Task<base::Status> wait(
        std::string_view upstream_name,
        net::Deadline patience = net::Deadline::after(kSlotWaitMax)
    );

    // wait() ends at once.
    void cancel();

    // The server refused for load the request that this slot was for.
    void refused() { slots_->refused(waiter_); }

private:
    std::unexpected<base::Error> busy(std::string_view upstream_name);

    std::shared_ptr<UpstreamSlots> slots_;
    UpstreamSlots::WaiterPtr waiter_;
    bool cancelled_ = false;
};

}  // namespace confab::llm
