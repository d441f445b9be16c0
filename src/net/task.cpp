#include "net/task.hpp"

namespace confab::net {

Task<void> suspend_until_called(std::move_only_function<void(std::move_only_function<void()> resume)> start) {
    const Executor home = co_await asio::this_coro::executor;
    auto initiate = [&start, home]<class Handler>(Handler handler) {
        auto work = asio::make_work_guard(home);
        start([home, work = std::move(work), handler = std::move(handler)]() mutable {
            asio::post(home, std::move(handler));
        });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(initiate, use_task);
}

}  // namespace confab::net
