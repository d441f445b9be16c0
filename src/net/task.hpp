// The coroutine type of Confab, bound to an io_context's own executor so that no call is type-erased.
//
// Rule for g++ 12: an expression that holds a co_await must not create a braced aggregate or a lambda with non-trivial
// captures (they are destroyed twice, GCC bug 107288), nor hold a ?: with temporaries (both branches are evaluated).
// Name the object first.
#pragma once

#include <chrono>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/error.hpp"

namespace confab::net {

namespace asio = boost::asio;

using Executor = asio::io_context::executor_type;

template <class T>
using Task = asio::awaitable<T, Executor>;

inline constexpr asio::use_awaitable_t<Executor> use_task{};

using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using TcpAcceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;

// Waits on the current executor; cut short by cancellation.
inline Task<void> sleep_for(std::chrono::steady_clock::duration duration) {
    const auto executor = co_await asio::this_coro::executor;
    Timer timer(executor, duration);
    boost::system::error_code ec;
    co_await timer.async_wait(asio::redirect_error(use_task, ec));
}

// Awaits `task` on another executor; the caller resumes at home. An exception travels back to the caller.
template <class T>
Task<T> run_on(Executor executor, Task<T> task) {
    const Executor home = co_await asio::this_coro::executor;
    if (executor == home) {
        co_return co_await std::move(task);
    }
    co_return co_await asio::co_spawn(executor, std::move(task), use_task);
}

}  // namespace confab::net
