#include "net/task_group.hpp"

#include <stdexcept>

#include <gtest/gtest.h>

#include "unit/net/loop.hpp"

namespace confab::net {
namespace {

using namespace std::chrono_literals;

Task<void> nap(std::chrono::steady_clock::duration duration, int& ended) {
    co_await sleep_for(duration);
    ++ended;
}

Task<void> at_once(int& ended) {
    ++ended;
    co_return;
}

Task<void> throwing() {
    co_await sleep_for(1ms);
    throw std::runtime_error("expected by the test");
}

TEST(TaskGroup, join_waits_for_all) {
    Loop loop;
    TaskGroup group(loop.executor(), "test");
    int ended = 0;
    auto test = [&]() -> Task<void> {
        for (int i = 1; i <= 10; ++i) {
            EXPECT_TRUE(group.spawn(nap(std::chrono::milliseconds(i), ended)));
        }
        EXPECT_TRUE(group.spawn(at_once(ended)));
        co_await group.join();
        EXPECT_EQ(ended, 11);
        EXPECT_EQ(group.size(), 0U);
        co_await group.join();
    };
    loop.run(test());
}

TEST(TaskGroup, cancel_ends_long_sleeps_at_once_and_join_returns) {
    Loop loop;
    TaskGroup group(loop.executor(), "test");
    int ended = 0;
    auto test = [&]() -> Task<void> {
        for (int i = 0; i < 10; ++i) {
            group.spawn(nap(1h, ended));
        }
        co_await sleep_for(1ms);
        EXPECT_EQ(group.size(), 10U);
        group.cancel();
        co_await group.join();
        EXPECT_EQ(group.size(), 0U);
    };
    loop.run(test(), 5s);
}

TEST(TaskGroup, cancel_reaches_tasks_that_have_not_begun) {
    Loop loop;
    TaskGroup group(loop.executor(), "test");
    int ended = 0;
    auto test = [&]() -> Task<void> {
        group.spawn(nap(1h, ended));
        group.cancel();
        co_await group.join();
    };
    loop.run(test(), 5s);
}

TEST(TaskGroup, refuses_tasks_after_cancel) {
    Loop loop;
    TaskGroup group(loop.executor(), "test");
    int ended = 0;
    group.cancel();
    EXPECT_FALSE(group.spawn(at_once(ended)));
    auto test = [&]() -> Task<void> { co_await group.join(); };
    loop.run(test());
    EXPECT_EQ(ended, 0);
}

TEST(TaskGroup, survives_a_task_that_throws) {
    Loop loop;
    TaskGroup group(loop.executor(), "test");
    int ended = 0;
    auto test = [&]() -> Task<void> {
        group.spawn(throwing());
        group.spawn(nap(5ms, ended));
        co_await group.join();
    };
    loop.run(test());
    EXPECT_EQ(ended, 1);
}

TEST(TaskGroup, a_task_may_spawn_and_cancel_its_own_group) {
    Loop loop;
    TaskGroup group(loop.executor(), "test");
    int ended = 0;
    auto child = [&]() -> Task<void> {
        group.spawn(nap(1h, ended));
        co_await sleep_for(1ms);
        group.cancel();
    };
    auto test = [&]() -> Task<void> {
        group.spawn(child());
        co_await group.join();
    };
    loop.run(test(), 5s);
    EXPECT_EQ(group.size(), 0U);
}

TEST(TaskGroupDeathTest, must_not_die_with_tasks) {
    EXPECT_DEATH(
        {
            Loop loop;
            int ended = 0;
            TaskGroup group(loop.executor(), "test");
            group.spawn(nap(1h, ended));
        },
        "broken invariant"
    );
}

}  // namespace
}  // namespace confab::net
