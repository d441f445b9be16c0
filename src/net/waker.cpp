#include "net/waker.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>

namespace confab::net {

Task<void> Waker::wait() {
    if (std::exchange(pending_, false)) {
        co_return;
    }
    auto initiate = [this]<class Handler>(Handler handler) {
        CONFAB_ASSERT(!waiter_);
        slot_ = asio::get_associated_cancellation_slot(handler);
        if (slot_.is_connected()) {
            // Works once: a second cancellation may come before the coroutine has resumed, and this Waker be gone by
            // then.
            slot_.assign([self = this](asio::cancellation_type) mutable {
                if (Waker* waker = std::exchange(self, nullptr)) {
                    waker->resume();
                }
            });
        }
        waiter_ = [handler = std::move(handler), slot = slot_]() mutable {
            slot.clear();
            std::move(handler)();
        };
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(initiate, use_task);
}

}  // namespace confab::net
