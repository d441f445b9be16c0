#include "net/waker.hpp"

#include <memory>

#include <gtest/gtest.h>

#include "net/task_group.hpp"
#include "unit/net/loop.hpp"

namespace confab::net {
namespace {

using namespace std::chrono_literals;

Task<void> wait_and_count(Waker& waker, int times, int& woken) {
    for (int i = 0; i < times; ++i) {
        co_await waker.wait();
        ++woken;
    }
}

TEST(Waker, wakes_the_one_that_waits) {
    Loop loop;
    Waker waker(loop.executor());
    TaskGroup group(loop.executor(), "test");
    int woken = 0;
    auto test = [&]() -> Task<void> {
        group.spawn(wait_and_count(waker, 2, woken));
        co_await sleep_for(1ms);
        EXPECT_EQ(woken, 0);
        waker.notify();
        EXPECT_EQ(woken, 0) << "it resumes from the loop, not inside notify()";
        co_await sleep_for(1ms);
        EXPECT_EQ(woken, 1);
        waker.notify();
        co_await group.join();
        EXPECT_EQ(woken, 2);
    };
    loop.run(test());
}

TEST(Waker, keeps_one_notification_that_came_before) {
    Loop loop;
    Waker waker(loop.executor());
    TaskGroup group(loop.executor(), "test");
    int woken = 0;
    auto test = [&]() -> Task<void> {
        waker.notify();
        waker.notify();
        waker.notify();
        group.spawn(wait_and_count(waker, 2, woken));
        co_await sleep_for(2ms);
        EXPECT_EQ(woken, 1) << "kept, not counted";
        waker.notify();
        co_await group.join();
    };
    loop.run(test());
}

TEST(Waker, loses_no_notification_between_look_and_sleep) {
    Loop loop;
    Waker waker(loop.executor());
    TaskGroup group(loop.executor(), "test");
    int available = 0;
    int taken = 0;
    auto consume = [&]() -> Task<void> {
        while (taken < 1000) {
            while (available > 0) {
                --available;
                ++taken;
            }
            if (taken < 1000) {
                co_await waker.wait();
            }
        }
    };
    auto produce = [&]() -> Task<void> {
        group.spawn(consume());
        for (int i = 0; i < 1000; ++i) {
            ++available;
            waker.notify();
            if (i % 3 == 0) {
                co_await asio::post(loop.executor(), use_task);
            }
        }
        co_await group.join();
    };
    loop.run(produce());
    EXPECT_EQ(taken, 1000);
}

TEST(Waker, a_wait_ends_when_its_task_is_cancelled) {
    Loop loop;
    TaskGroup group(loop.executor(), "test");
    Waker waker(loop.executor());
    int woken = 0;
    auto test = [&]() -> Task<void> {
        group.spawn(wait_and_count(waker, 1, woken));
        co_await sleep_for(1ms);
        group.cancel();
        co_await group.join();
    };
    loop.run(test(), 5s);
    EXPECT_LE(woken, 1);
}

TEST(Waker, may_die_after_it_notified_though_its_waiter_is_cancelled_then) {
    Loop loop;
    TaskGroup group(loop.executor(), "test");
    auto waker = std::make_unique<Waker>(loop.executor());
    int woken = 0;
    auto test = [&]() -> Task<void> {
        group.spawn(wait_and_count(*waker, 1, woken));
        co_await sleep_for(1ms);
        waker->notify();
        waker.reset();  // nobody waits on it any more, the waiter is on its way
        group.cancel();
        co_await group.join();
    };
    loop.run(test(), 5s);
}

TEST(Waker, may_die_after_a_cancellation_though_another_one_follows) {
    Loop loop;
    TaskGroup group(loop.executor(), "test");
    auto waker = std::make_unique<Waker>(loop.executor());
    int woken = 0;
    auto test = [&]() -> Task<void> {
        group.spawn(wait_and_count(*waker, 1, woken));
        co_await sleep_for(1ms);
        group.cancel();
        waker.reset();
        group.cancel();
        co_await group.join();
    };
    loop.run(test(), 5s);
}

TEST(WakerDeathTest, must_not_die_while_somebody_waits) {
    EXPECT_DEATH(
        {
            Loop loop;
            int woken = 0;
            auto waker = std::make_unique<Waker>(loop.executor());
            TaskGroup group(loop.executor(), "test");
            auto test = [&]() -> Task<void> {
                group.spawn(wait_and_count(*waker, 1, woken));
                co_await sleep_for(1ms);
                waker.reset();
            };
            loop.run(test());
        },
        "broken invariant"
    );
}

}  // namespace
}  // namespace confab::net
