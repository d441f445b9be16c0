// WaitList: any number of coroutines of one shard that sleep until the same thing happens.
#pragma once

#include <algorithm>
#include <vector>

#include "net/waker.hpp"

namespace confab::net {

class WaitList {
public:
    explicit WaitList(Executor executor) : executor_(executor) {}

    // Sleeps until the next notify_all(). A cancelled waiter takes itself off the list.
    Task<void> wait() {
        Waker waker(executor_);
        wakers_.push_back(&waker);
        const Leave leave{wakers_, &waker};
        co_await waker.wait();
    }

    void notify_all() {
        for (Waker* waker : wakers_) {
            waker->notify();
        }
    }

private:
    struct Leave {
        std::vector<Waker*>& wakers;
        Waker* waker;

        ~Leave() { std::erase(wakers, waker); }
    };

    Executor executor_;
    std::vector<Waker*> wakers_;
};

}  // namespace confab::net
