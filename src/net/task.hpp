// The coroutine type of Confab, bound to an io_context's own executor so that no call is type-erased.
//
// Rule for g++ 12: an expression that holds a co_await must not create a braced aggregate or a lambda with non-trivial
// captures (they are destroyed twice, GCC bug 107288), nor hold a ?: with temporaries (both branches are evaluated).
// Name the object first.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
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

// Suspends the calling coroutine and calls `start` with a function that resumes it; that function may be called once,
// from any thread, and the coroutine goes on on its own executor. The loop of that executor is kept alive meanwhile.
// Cancellation waits until then.
Task<void> suspend_until_called(std::move_only_function<void(std::move_only_function<void()> resume)> start);

// Awaits `task` on another executor; the caller resumes at home. An exception travels back to the caller. Cancellation
// does not cross: Asio would hand the other thread a pointer into this coroutine's state. Such tasks are bounded by
// deadlines of their own.
template <class T>
Task<T> run_on(Executor executor, Task<T> task) {
    const Executor home = co_await asio::this_coro::executor;
    if (executor == home) {
        co_return co_await std::move(task);
    }
    std::exception_ptr failure;  // both are written before the resumption is posted, and read after it
    std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> result;
    std::move_only_function<void(std::move_only_function<void()>)> start = [&](std::move_only_function<void()> resume) {
        if constexpr (std::is_void_v<T>) {
            auto ended = [&failure, resume = std::move(resume)](std::exception_ptr error) mutable {
                failure = error;
                resume();
            };
            asio::co_spawn(executor, std::move(task), std::move(ended));
        } else {
            auto ended = [&failure, &result, resume = std::move(resume)](std::exception_ptr error, T value) mutable {
                failure = error;
                result.emplace(std::move(value));
                resume();
            };
            asio::co_spawn(executor, std::move(task), std::move(ended));
        }
    };
    co_await suspend_until_called(std::move(start));
    if (failure) {
        std::rethrow_exception(failure);
    }
    if constexpr (!std::is_void_v<T>) {
        co_return *std::move(result);
    }
}

}  // namespace confab::net
