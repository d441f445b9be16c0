#include "net/shard.hpp"

#include <atomic>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

namespace confab::net {
namespace {

using namespace std::chrono_literals;

Task<std::thread::id> where() {
    co_await sleep_for(1ms);
    co_return std::this_thread::get_id();
}

Task<int> failing() {
    co_await sleep_for(1ms);
    throw std::runtime_error("expected by the test");
    co_return 0;
}

// Runs `test` on shard 0 of two shards, then stops them.
void run_on_two_shards(std::function<Task<void>(ShardPool&)> test) {
    ShardPool shards(2);
    std::exception_ptr failure;
    asio::co_spawn(shards[0].executor(), test(shards), [&](std::exception_ptr error) {
        failure = error;
        shards.stop();
    });
    shards.run();
    if (failure) {
        std::rethrow_exception(failure);
    }
}

TEST(RunOn, runs_on_the_other_shard_and_resumes_at_home) {
    auto test = [](ShardPool& shards) -> Task<void> {
        const auto home = std::this_thread::get_id();
        for (int i = 0; i < 100; ++i) {
            const auto there = co_await run_on(shards[1].executor(), where());
            EXPECT_NE(there, home);
            EXPECT_EQ(std::this_thread::get_id(), home);
        }
    };
    run_on_two_shards(test);
}

TEST(RunOn, stays_when_it_is_at_home_already) {
    auto test = [](ShardPool& shards) -> Task<void> {
        const auto there = co_await run_on(shards[0].executor(), where());
        EXPECT_EQ(there, std::this_thread::get_id());
    };
    run_on_two_shards(test);
}

TEST(RunOn, brings_an_exception_home) {
    auto test = [](ShardPool& shards) -> Task<void> {
        const auto home = std::this_thread::get_id();
        bool caught = false;
        try {
            co_await run_on(shards[1].executor(), failing());
        } catch (const std::runtime_error&) {
            caught = true;
        }
        EXPECT_TRUE(caught);
        EXPECT_EQ(std::this_thread::get_id(), home);
    };
    run_on_two_shards(test);
}

TEST(RunOn, carries_values_that_own_memory) {
    auto test = [](ShardPool& shards) -> Task<void> {
        auto make = [](std::string text) -> Task<std::string> {
            co_await sleep_for(1ms);
            co_return text + text;
        };
        const std::string half(10'000, 'x');
        const std::string whole = co_await run_on(shards[1].executor(), make(half));
        EXPECT_EQ(whole.size(), 20'000U);
    };
    run_on_two_shards(test);
}

TEST(ShardPool, ticks_on_every_shard) {
    std::array<std::atomic<int>, 2> ticks{};
    auto test = [&](ShardPool& shards) -> Task<void> {
        std::vector<Ticker::Subscription> subscriptions;
        subscriptions.push_back(shards[0].ticker().every_tick([&](auto) { ++ticks[0]; }));
        auto subscribe = [&]() -> Task<void> {
            subscriptions.push_back(shards[1].ticker().every_tick([&](auto) { ++ticks[1]; }));
            co_return;
        };
        auto unsubscribe = [&]() -> Task<void> {
            subscriptions.pop_back();
            co_return;
        };
        co_await run_on(shards[1].executor(), subscribe());
        while (ticks[0] < 2 || ticks[1] < 2) {
            co_await sleep_for(10ms);
        }
        co_await run_on(shards[1].executor(), unsubscribe());
    };
    run_on_two_shards(test);
}

}  // namespace
}  // namespace confab::net
