#include "llm/concurrency_limit.hpp"

#include <gtest/gtest.h>

namespace confab::llm {
namespace {

using namespace std::chrono_literals;

class ConcurrencyLimitTest : public testing::Test {
protected:
    // A request sent and refused now, the last of `in_use`.
    void refuse(std::size_t in_use) {
        now_ += 1ms;
        limit_.refused(now_, now_, in_use);
    }

    std::size_t after(std::chrono::milliseconds time) const { return limit_.at(now_ + time); }

    ConcurrencyLimit limit_;
    ConcurrencyLimit::Time now_ = ConcurrencyLimit::Time() + 1h;
};

TEST_F(ConcurrencyLimitTest, BeginsWideOpen) {
    EXPECT_EQ(after(0s), kSlotsMax);
    EXPECT_GE(kSlotsMax, 5'000U);
}

TEST_F(ConcurrencyLimitTest, FallsFromWhatWasUnderWayNotFromTheCeiling) {
    refuse(100);
    EXPECT_EQ(after(0s), 70U);
    refuse(70);
    EXPECT_EQ(after(0s), 49U);
}

TEST_F(ConcurrencyLimitTest, NeverFallsBelowOne) {
    for (int i = 0; i < 20; ++i) {
        refuse(1);
    }
    EXPECT_EQ(after(0s), 1U);
    refuse(0);
    EXPECT_EQ(after(0s), 1U);
}

TEST_F(ConcurrencyLimitTest, ManySentTogetherCountOnce) {
    const auto sent = now_;
    for (int i = 0; i < 90; ++i) {
        now_ += 1ms;
        limit_.refused(sent, now_, 100);
    }
    EXPECT_EQ(after(0s), 70U);
}

TEST_F(ConcurrencyLimitTest, GrowsBySlotsWhenSmallAndByATenthWhenLarge) {
    refuse(10);
    EXPECT_EQ(after(0s), 7U);
    EXPECT_EQ(after(kSlotsHold), 7U);
    EXPECT_EQ(after(kSlotsHold + 1s), 8U);
    EXPECT_EQ(after(kSlotsHold + 5s), 12U);
    refuse(1'000);  // sent before the limit fell: what is under way is more than the limit
    EXPECT_LE(after(0s), 9U);
}

TEST_F(ConcurrencyLimitTest, ForgetsABadMinute) {
    refuse(1);
    EXPECT_EQ(after(0s), 1U);
    EXPECT_GE(after(120s), 5'000U);
    EXPECT_EQ(after(24h), kSlotsMax);
}

TEST_F(ConcurrencyLimitTest, SettlesAtWhatTheServerBears) {
    constexpr std::size_t kBears = 8;
    std::size_t in_use = 60;
    int refused = 0;
    for (int step = 0; step < 600; ++step) {  // a minute in steps of 100 ms; there is always somebody who waits
        now_ += 100ms;
        while (in_use < limit_.at(now_)) {
            ++in_use;
        }
        if (in_use > kBears) {
            ++refused;
            limit_.refused(now_, now_, in_use);
            in_use = std::min(in_use - 1, kBears);
        }
        if (step > 100) {
            EXPECT_GE(limit_.at(now_), kBears / 2);
            EXPECT_LE(limit_.at(now_), kBears + 1);
        }
    }
    EXPECT_LT(refused, 60) << "at most one refusal a second";
}

}  // namespace
}  // namespace confab::llm
