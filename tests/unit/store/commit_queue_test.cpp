#include "store/sqlite/commit_queue.hpp"

#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace confab::store::sqlite {
namespace {

using namespace std::chrono_literals;
using Queue = CommitQueue<std::unique_ptr<int>>;
using Clock = Queue::Clock;

constexpr auto kNow = Clock::time_point::min();

auto job(int number) {
    return std::make_unique<int>(number);
}

TEST(CommitQueue, ServesWhatIsDueAtOnce) {
    Queue queue(10);
    EXPECT_TRUE(queue.push(job(1), kNow));
    EXPECT_TRUE(queue.push(job(2), kNow));
    const auto taken = queue.pop_many(10, 1h);
    ASSERT_EQ(taken.size(), 2U);
    EXPECT_EQ(*taken[0], 1);
    EXPECT_EQ(*taken[1], 2);
    EXPECT_TRUE(queue.pop_many(10, 1ms).empty());
}

TEST(CommitQueue, WhatMayWaitWaits) {
    Queue queue(10);
    EXPECT_TRUE(queue.push(job(1), Clock::now() + 1h));
    EXPECT_TRUE(queue.pop_many(10, 10ms).empty());
    EXPECT_TRUE(queue.push(job(2), Clock::now() + 30ms));
    EXPECT_EQ(queue.pop_many(10, 1h).size(), 2U) << "all of them, when the first is due";
}

TEST(CommitQueue, WhatCannotWaitTakesTheOthersAlongInTheirOrder) {
    Queue queue(10);
    EXPECT_TRUE(queue.push(job(1), Clock::now() + 1h));
    EXPECT_TRUE(queue.push(job(2), kNow));
    const auto taken = queue.pop_many(10, 1h);
    ASSERT_EQ(taken.size(), 2U);
    EXPECT_EQ(*taken[0], 1);
    EXPECT_TRUE(queue.push(job(3), Clock::now() + 1h));
    EXPECT_TRUE(queue.pop_many(10, 10ms).empty()) << "the hurry is over";
}

TEST(CommitQueue, WakesTheThreadThatSleepsForSomethingPatient) {
    Queue queue(10);
    std::thread later([&queue] {
        std::this_thread::sleep_for(20ms);
        EXPECT_TRUE(queue.push(job(1), Clock::now() + 1h));
        EXPECT_TRUE(queue.push(job(2), kNow));
    });
    EXPECT_EQ(queue.pop_many(10, 1h).size(), 2U);
    later.join();
}

TEST(CommitQueue, AFullGroupDoesNotWaitAndWhatIsLeftIsNext) {
    Queue queue(10);
    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(queue.push(job(i), Clock::now() + 1h));
    }
    EXPECT_EQ(queue.pop_many(3, 1h).size(), 3U);
    EXPECT_EQ(queue.pop_many(3, 1h).size(), 2U);
}

TEST(CommitQueue, IsBoundedAndGivesWhatIsLeftWhenClosed) {
    Queue queue(2);
    EXPECT_TRUE(queue.push(job(1), Clock::now() + 1h));
    EXPECT_TRUE(queue.push(job(2), Clock::now() + 1h));
    auto third = job(3);
    EXPECT_FALSE(queue.push(std::move(third), kNow));
    EXPECT_NE(third, nullptr) << "left untouched";
    queue.close();
    EXPECT_FALSE(queue.closed());
    EXPECT_EQ(queue.pop_many(10, 1h).size(), 2U);
    EXPECT_TRUE(queue.closed());
    EXPECT_TRUE(queue.pop_many(10, 1h).empty());
    EXPECT_FALSE(queue.push(job(4), kNow));
}

}  // namespace
}  // namespace confab::store::sqlite
