#include "llm/upstream_slots.hpp"

#include <algorithm>
#include <string>

#include <boost/asio/post.hpp>

namespace confab::llm {

UpstreamSlots::Counts UpstreamSlots::counts() const {
    const std::lock_guard lock(mutex_);
    return {limit(clock_()), in_use_, queue_.size()};
}

void UpstreamSlots::note_failure(std::string code, std::string message) {
    auto failure = std::make_shared<UpstreamFailure>();
    failure->at = base::unix_now();
    failure->code = std::move(code);
    failure->message = std::move(message);
    last_failure_.store(std::move(failure));
}

// With the mutex held.
std::size_t UpstreamSlots::limit(ConcurrencyLimit::Time now) const {
    return std::min(limit_.at(now), most_.load(std::memory_order_relaxed));
}

bool UpstreamSlots::enter(const WaiterPtr& waiter) {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kSlotQueueMax) {
        const WaiterPtr displaced = queue_.displace(waiter->person);
        if (!displaced) {
            return false;
        }
        displaced->state = Waiter::State::displaced;
        wake(displaced);
    }
    waiter->state = Waiter::State::waiting;
    queue_.push(waiter->person, waiter);
    grant(waiter);
    return true;
}

void UpstreamSlots::leave(const WaiterPtr& waiter) {
    const std::lock_guard lock(mutex_);
    if (waiter->state == Waiter::State::holding) {
        --in_use_;
        queue_.release(waiter->person);
    } else if (waiter->state == Waiter::State::waiting) {
        queue_.erase(waiter->person, waiter);
    }
    waiter->state = Waiter::State::idle;
    grant(waiter);
}

UpstreamSlots::Waiter::State UpstreamSlots::state_of(const WaiterPtr& waiter) {
    const std::lock_guard lock(mutex_);
    grant(waiter);  // the limit may have grown
    return waiter->state;
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
    const std::size_t most = limit(now);
    while (!queue_.empty() && in_use_ < most) {
        const WaiterPtr next = queue_.pop();
        next->state = Waiter::State::holding;
        next->granted_at = now;
        ++in_use_;
        if (next != caller) {
            wake(next);
        }
    }
}

void UpstreamSlots::wake(const WaiterPtr& waiter) {
    net::asio::post(waiter->executor, [waiter] { waiter->timer.cancel(); });
}

SlotRequest::SlotRequest(std::shared_ptr<UpstreamSlots> slots, net::Executor executor, PersonKey person)
    : slots_(std::move(slots)), waiter_(std::make_shared<UpstreamSlots::Waiter>(executor, person)) {}

SlotRequest::~SlotRequest() {
    slots_->leave(waiter_);
}

net::Task<base::Status> SlotRequest::wait(std::string_view upstream_name, net::Deadline patience) {
    if (!slots_->enter(waiter_)) {
        co_return busy(upstream_name);
    }
    using State = UpstreamSlots::Waiter::State;
    while (!cancelled_) {
        const State state = slots_->state_of(waiter_);
        if (state == State::holding) {
            break;
        }
        if (state == State::displaced || patience.passed()) {
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
