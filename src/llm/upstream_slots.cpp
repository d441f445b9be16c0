#include "llm/upstream_slots.hpp"

#include <algorithm>
#include <string>

#include <boost/asio/post.hpp>

namespace confab::llm {

UpstreamSlots::Counts UpstreamSlots::counts() const {
    const std::lock_guard lock(mutex_);
    return {limit_.at(clock_()), in_use_, queue_.size()};
}

bool UpstreamSlots::enter(const WaiterPtr& waiter) {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kSlotQueueMax) {
        return false;
    }
    waiter->state = Waiter::State::waiting;
    queue_.push_back(waiter);
    grant(waiter);
    return true;
}

void UpstreamSlots::leave(const WaiterPtr& waiter) {
    const std::lock_guard lock(mutex_);
    if (waiter->state == Waiter::State::holding) {
        --in_use_;
    } else if (waiter->state == Waiter::State::waiting) {
        std::erase(queue_, waiter);
    }
    waiter->state = Waiter::State::idle;
    grant(waiter);
}

bool UpstreamSlots::holds(const WaiterPtr& waiter) {
    const std::lock_guard lock(mutex_);
    grant(waiter);  // the limit may have grown
    return waiter->state == Waiter::State::holding;
}

void UpstreamSlots::refused(const WaiterPtr& waiter) {
    refusals.add();
    const std::lock_guard lock(mutex_);
    limit_.refused(waiter->granted_at, clock_(), in_use_);
}

void UpstreamSlots::grant(const WaiterPtr& caller) {
    if (queue_.empty()) {
        return;
    }
    const auto now = clock_();
    const std::size_t limit = limit_.at(now);
    while (!queue_.empty() && in_use_ < limit) {
        const WaiterPtr next = std::move(queue_.front());
        queue_.pop_front();
        next->state = Waiter::State::holding;
        next->granted_at = now;
        ++in_use_;
        if (next != caller) {
            net::asio::post(next->executor, [next] { next->timer.cancel(); });
        }
    }
}

SlotRequest::SlotRequest(std::shared_ptr<UpstreamSlots> slots, net::Executor executor)
    : slots_(std::move(slots)), waiter_(std::make_shared<UpstreamSlots::Waiter>(executor)) {}

SlotRequest::~SlotRequest() {
    slots_->leave(waiter_);
}

net::Task<base::Status> SlotRequest::wait(std::string_view upstream_name, net::Deadline patience) {
    if (!slots_->enter(waiter_)) {
        co_return busy(upstream_name);
    }
    while (!cancelled_ && !slots_->holds(waiter_)) {
        if (patience.passed()) {
            co_return busy(upstream_name);
        }
        // Nothing can come between this look and the wait: who wakes us posts to this thread.
        waiter_->timer.expires_after(std::min<net::Deadline::Clock::duration>(kSlotLookEvery, patience.left()));
        boost::system::error_code ec;
        co_await waiter_->timer.async_wait(net::asio::redirect_error(net::use_task, ec));
    }
    if (cancelled_) {
        co_return base::fail(base::Errc::cancelled, "The request was cancelled.", "cancelled");
    }
    co_return base::Status();
}

void SlotRequest::cancel() {
    cancelled_ = true;
    waiter_->timer.cancel();
}

std::unexpected<base::Error> SlotRequest::busy(std::string_view upstream_name) {
    slots_->busy.add();
    base::Error error;
    error.errc = base::Errc::unavailable;
    error.code = "upstream_busy";
    error.message = "The model server '" + std::string(upstream_name) +
                    "' is busy: it takes no more requests at the moment. Try again shortly.";
    error.retry_after = kBusyRetryAfter;
    return std::unexpected(std::move(error));
}

}  // namespace confab::llm
