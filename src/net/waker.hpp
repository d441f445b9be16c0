// Waker: how one coroutine sleeps until somebody on the same thread has news for it.
//
// At most one coroutine waits at a time. A notification that comes while nobody waits is kept (one, not counted), so
// that "look, then sleep" loses nothing. Not thread-safe by design: everything happens on one shard. The waiting
// coroutine resumes from the event loop, never inside notify().
#pragma once

#include <functional>
#include <utility>

#include <boost/asio/cancellation_signal.hpp>

#include "net/task.hpp"

namespace confab::net {

class Waker {
public:
    explicit Waker(Executor executor) : executor_(executor) {}

    Waker(const Waker&) = delete;
    Waker& operator=(const Waker&) = delete;

    ~Waker() { CONFAB_ASSERT(!waiter_); }

    // Returns at once when a notification is pending, and consumes it. Cancellation ends the wait as a notification
    // would; the coroutine then throws operation_aborted at its next co_await.
    Task<void> wait();

    void notify() {
        if (!waiter_) {
            pending_ = true;
            return;
        }
        slot_.clear();  // this Waker may be gone by the time somebody cancels
        resume();
    }

private:
    void resume() {
        auto waiter = std::exchange(waiter_, nullptr);
        asio::post(executor_, std::move(waiter));
    }

    Executor executor_;
    std::move_only_function<void()> waiter_;
    asio::cancellation_slot slot_;  // of the waiter, connected while it waits and can be cancelled
    bool pending_ = false;
};

}  // namespace confab::net
