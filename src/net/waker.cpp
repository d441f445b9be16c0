#include "net/waker.hpp"

namespace confab::net {

Task<void> Waker::wait() {
    if (std::exchange(pending_, false)) {
        co_return;
    }
    auto initiate = [this]<class Handler>(Handler handler) {
        CONFAB_ASSERT(!waiter_);
        waiter_ = [handler = std::move(handler)]() mutable { std::move(handler)(); };
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(initiate, use_task);
}

}  // namespace confab::net
