#include "chat/usage_book.hpp"

#include <algorithm>
#include <iterator>

#include <spdlog/spdlog.h>

namespace confab::chat {

UsageBook::UsageBook(net::Shard& shard, store::UsageStore& store, const Prices& prices)
    : store_(store), prices_(prices), tasks_(shard.executor(), "usage") {
    tick_ = shard.ticker().every_tick([this](auto now) { tick(now); }, net::Ticker::Pace::calm);
}

void UsageBook::add(store::UsageEntry entry, const meter::TicketPtr& ticket) {
    if (ticket) {
        ticket->charge(entry.count.input_tokens + entry.count.output_tokens);
    }
    if (entries_.size() >= kUsageRowsKept) {
        return;  // said by flush()
    }
    entry.at = base::unix_now();
    prices_.put_cost(entry.model, entry.count);
    entries_.push_back(std::move(entry));
}

void UsageBook::tick(std::chrono::steady_clock::time_point now) {
    if (now >= next_flush_ && !flushing_ && !entries_.empty()) {
        next_flush_ = now + kUsageEvery;
        flushing_ = true;
        if (!tasks_.spawn(flush())) {
            flushing_ = false;
        }
    }
}

net::Task<void> UsageBook::flush() {
    while (!entries_.empty()) {
        const auto count = static_cast<std::ptrdiff_t>(std::min(entries_.size(), kUsageBatch));
        std::vector<store::UsageEntry> batch(entries_.begin(), entries_.begin() + count);
        const auto saved = co_await store_.add_usage(std::move(batch));
        if (!saved) {
            spdlog::warn("usage_not_saved code={} rows={}", saved.error().code, entries_.size());
            break;
        }
        entries_.erase(entries_.begin(), entries_.begin() + count);
    }
    flushing_ = false;
}

net::Task<void> UsageBook::close() {
    co_await tasks_.join();
    co_await flush();
}

}  // namespace confab::chat
