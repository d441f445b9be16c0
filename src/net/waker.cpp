#include "net/waker.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>

namespace confab::net {

Task<void> Waker::wait() {
    if (std::exchange(pending_, false)) {
        co_return;
    }
    auto initiate = [this]<class Handler>(Handler handler) {
        CONFAB_ASSERT(!waiter_);
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected()) {
            slot.assign([this](asio::cancellation_type) { notify(); });
        }
        waiter_ = [handler = std::move(handler), slot]() mutable {
            slot.clear();  // this Waker may be gone by the time somebody cancels
            std::move(handler)();
        };
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(initiate, use_task);
}

}  // namespace confab::net
