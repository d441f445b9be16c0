#include "net/blocking_pool.hpp"

#include <atomic>
#include <semaphore>
#include <thread>

#include <gtest/gtest.h>

#include "net/task_group.hpp"
#include "unit/net/loop.hpp"

namespace confab::net {
namespace {

using namespace std::chrono_literals;
using base::Result;

// Keeps the pool's only thread busy until it is let go.
struct Gate {
    std::binary_semaphore entered{0};
    std::binary_semaphore open{0};

    Result<int> hold() {
        entered.release();
        open.acquire();
        return 0;
    }
};

Task<void> run_gate(BlockingPool<int>& pool, Gate& gate) {
    auto work = [&gate](int&) { return gate.hold(); };
    const auto result = co_await pool.run(work);
    EXPECT_TRUE(result);
}

Task<void> add_one(BlockingPool<int>& pool, std::vector<Result<int>>& results) {
    auto work = [](int& worker) -> Result<int> { return ++worker; };
    auto result = co_await pool.run(work);
    results.push_back(std::move(result));
}

TEST(BlockingPool, runs_on_its_own_thread_and_resumes_at_home) {
    Loop loop;
    BlockingPool<int> pool({41}, 10);
    auto test = [&]() -> Task<void> {
        const auto home = std::this_thread::get_id();
        std::thread::id there;
        auto work = [&there](int& worker) -> Result<std::string> {
            there = std::this_thread::get_id();
            return std::to_string(++worker);
        };
        const auto result = co_await pool.run(work);
        EXPECT_EQ(*result, "42");
        EXPECT_NE(there, home);
        EXPECT_EQ(std::this_thread::get_id(), home);
    };
    loop.run(test());
}

TEST(BlockingPool, hands_on_errors) {
    Loop loop;
    BlockingPool<int> pool({0}, 10);
    auto test = [&]() -> Task<void> {
        auto work = [](int&) -> base::Status { return base::not_found("gone"); };
        const auto result = co_await pool.run(work);
        EXPECT_EQ(result.error().errc, base::Errc::not_found);
    };
    loop.run(test());
}

TEST(BlockingPool, answers_unavailable_at_once_when_the_queue_is_full) {
    Loop loop;
    BlockingPool<int> pool({0}, 2);
    TaskGroup group(loop.executor(), "test");
    Gate gate;
    std::vector<Result<int>> results;
    auto test = [&]() -> Task<void> {
        group.spawn(run_gate(pool, gate));
        co_await sleep_for(1ms);
        gate.entered.acquire();
        for (int i = 0; i < 3; ++i) {
            group.spawn(add_one(pool, results));
        }
        while (results.empty()) {
            co_await sleep_for(1ms);
        }
        EXPECT_EQ(pool.queued(), 2U);
        EXPECT_EQ(results.size(), 1U);
        EXPECT_EQ(results[0].error().errc, base::Errc::unavailable);
        EXPECT_EQ(results[0].error().code, "overloaded");
        gate.open.release();
        co_await group.join();
        EXPECT_EQ(results.size(), 3U);
        EXPECT_TRUE(results[1] && results[2]);
    };
    loop.run(test());
}

TEST(BlockingPool, finishes_what_is_queued_when_it_stops_and_refuses_the_rest) {
    Loop loop;
    BlockingPool<int> pool({0}, 100);
    TaskGroup group(loop.executor(), "test");
    std::vector<Result<int>> results;
    auto test = [&]() -> Task<void> {
        for (int i = 0; i < 50; ++i) {
            group.spawn(add_one(pool, results));
        }
        co_await asio::post(loop.executor(), use_task);
        pool.stop();
        group.spawn(add_one(pool, results));
        co_await group.join();
    };
    loop.run(test());
    EXPECT_EQ(results.size(), 51U);
    EXPECT_EQ(std::ranges::count_if(results, [](const auto& result) { return !result; }), 1);
    pool.stop();
}

TEST(BlockingPool, gives_each_thread_a_worker_of_its_own) {
    Loop loop;
    BlockingPool<int> pool({100, 200}, 10);
    TaskGroup group(loop.executor(), "test");
    Gate first;
    Gate second;
    auto test = [&]() -> Task<void> {
        group.spawn(run_gate(pool, first));
        group.spawn(run_gate(pool, second));
        co_await sleep_for(1ms);
        first.entered.acquire();
        second.entered.acquire();  // both run at the same time
        first.open.release();
        second.open.release();
        co_await group.join();
    };
    loop.run(test());
}

TEST(BlockingPool, a_cancelled_caller_still_gets_its_answer) {
    Loop loop;
    BlockingPool<int> pool({0}, 10);
    TaskGroup group(loop.executor(), "test");
    Gate gate;
    auto test = [&]() -> Task<void> {
        group.spawn(run_gate(pool, gate));
        co_await sleep_for(1ms);
        gate.entered.acquire();
        group.cancel();
        co_await sleep_for(1ms);
        EXPECT_EQ(group.size(), 1U);
        gate.open.release();
        co_await group.join();
    };
    loop.run(test());
}

TEST(JobQueue, is_bounded_and_closes) {
    JobQueue<std::unique_ptr<int>> queue(2);
    EXPECT_TRUE(queue.push(std::make_unique<int>(1)));
    EXPECT_TRUE(queue.push(std::make_unique<int>(2)));
    auto third = std::make_unique<int>(3);
    EXPECT_FALSE(queue.push(std::move(third)));
    EXPECT_NE(third, nullptr) << "a refused job is left untouched";
    std::unique_ptr<int> job;
    const auto no_rest = [] { FAIL() << "there is work"; };
    EXPECT_TRUE(queue.pop(job, kRestAfter, no_rest));
    EXPECT_EQ(*job, 1);
    queue.close();
    EXPECT_FALSE(queue.push(std::move(third)));
    EXPECT_TRUE(queue.pop(job, kRestAfter, no_rest)) << "what was queued before the end is still taken";
    EXPECT_EQ(*job, 2);
    EXPECT_FALSE(queue.pop(job, kRestAfter, no_rest));
}

TEST(JobQueue, lets_who_waits_have_a_rest_once) {
    JobQueue<int> queue(2);
    std::atomic<int> rests{0};
    std::thread late([&] {
        for (int i = 0; rests == 0 && i < 5'000; ++i) {
            std::this_thread::sleep_for(1ms);
        }
        std::this_thread::sleep_for(5ms);
        queue.push(7);
    });
    int job = 0;
    EXPECT_TRUE(queue.pop(job, 1ms, [&] { ++rests; }));
    late.join();
    EXPECT_EQ(job, 7);
    EXPECT_EQ(rests, 1);
}

}  // namespace
}  // namespace confab::net
