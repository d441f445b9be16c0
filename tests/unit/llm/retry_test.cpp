#include "llm/retry.hpp"

#include <gtest/gtest.h>

#include "base/clock.hpp"

namespace confab::llm {
namespace {

using namespace std::chrono_literals;

class RetryTest : public testing::Test {
protected:
    Retries with_random(double value) {
        return Retries(now_, [value] { return value; });
    }

    static TryFailure status(unsigned status, std::optional<std::chrono::seconds> retry_after = std::nullopt) {
        return TryFailure{status, {}, retry_after};
    }

    static TryFailure code(std::string_view code) { return TryFailure{0, code, std::nullopt}; }

    Retries::Clock::time_point now_ = Retries::Clock::time_point() + 1h;
};

TEST_F(RetryTest, WhatMayPassIsTriedAgain) {
    for (const unsigned passing : {408, 429, 500, 502, 503, 504, 529}) {
        EXPECT_TRUE(with_random(0).next(status(passing), now_)) << passing;
    }
    for (const unsigned lasting : {400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 451, 501, 505}) {
        EXPECT_FALSE(with_random(0).next(status(lasting), now_)) << lasting;
    }
    for (const auto* passing : {"upstream_unreachable", "upstream_disconnected", "upstream_timeout", "empty_answer"}) {
        EXPECT_TRUE(with_random(0).next(code(passing), now_)) << passing;
    }
    for (const auto* lasting :
         {"",
          "cancelled",
          "upstream_tls",
          "upstream_redirect",
          "upstream_bad_url",
          "upstream_too_large",
          "upstream_busy"}) {
        EXPECT_FALSE(with_random(0).next(code(lasting), now_)) << lasting;
    }
}

TEST_F(RetryTest, AtMostThreeTries) {
    Retries retries = with_random(0.5);
    EXPECT_TRUE(retries.next(status(503), now_));
    EXPECT_TRUE(retries.next(status(503), now_));
    EXPECT_FALSE(retries.next(status(503), now_));
}

TEST_F(RetryTest, PausesGrowAndAreSpreadFromZeroOn) {
    for (const double random : {0.0, 0.25, 1.0}) {
        Retries retries = with_random(random);
        for (const auto most : {kBackoffBase, 2 * kBackoffBase}) {
            const auto pause = retries.next(status(500), now_);
            ASSERT_TRUE(pause);
            EXPECT_NEAR(
                std::chrono::duration<double>(*pause).count(),
                std::chrono::duration<double>(most).count() * random,
                1e-6
            );
        }
    }
}

TEST_F(RetryTest, ObeysTheServersWishWithinReason) {
    const auto pause = with_random(0.5).next(status(429, kRetryAfterObeyedMax), now_);
    ASSERT_TRUE(pause);
    EXPECT_GE(*pause, kRetryAfterObeyedMax);
    EXPECT_LE(*pause, kRetryAfterObeyedMax + kBackoffBase);
    EXPECT_FALSE(with_random(0).next(status(429, kRetryAfterObeyedMax + 1s), now_)) << "too long to wait for";
    EXPECT_GE(*with_random(0).next(status(503, 7s), now_), 7s);
}

TEST_F(RetryTest, NoTryBeginsAfterTheDeadline) {
    EXPECT_TRUE(with_random(0).next(code("upstream_timeout"), now_ + kTryingMax));
    EXPECT_FALSE(with_random(0).next(code("upstream_timeout"), now_ + kTryingMax + 1ms));
    EXPECT_FALSE(with_random(0).next(status(429, 20s), now_ + kTryingMax - 19s)) << "the pause counts";
}

TEST_F(RetryTest, OverloadIsWhatAServerSaysOfItsLoad) {
    for (const unsigned busy : {429, 503, 529}) {
        EXPECT_TRUE(is_overload(status(busy))) << busy;
    }
    EXPECT_FALSE(is_overload(status(500)));
    EXPECT_FALSE(is_overload(status(408)));
    EXPECT_TRUE(is_overload(code("upstream_timeout")));
    EXPECT_TRUE(is_overload(code("upstream_unreachable")));
    EXPECT_FALSE(is_overload(code("upstream_disconnected"))) << "a connection from the pool may have died of age";
    EXPECT_FALSE(is_overload(code("")));
}

TEST_F(RetryTest, ReadsBothFormsOfRetryAfter) {
    EXPECT_EQ(parse_retry_after("0"), 0s);
    EXPECT_EQ(parse_retry_after(" 17 "), 17s);
    EXPECT_EQ(parse_retry_after("999999999"), 24h) << "a day is enough";
    EXPECT_EQ(parse_retry_after("Thu, 01 Jan 1970 00:00:01 GMT"), 0s) << "passed already";
    EXPECT_EQ(parse_retry_after("Fri, 31 Dec 2399 23:59:59 GMT"), 24h);
    for (const auto* nonsense :
         {"", "-1", "soon", "1.5", "12 s", "99999999999999999999", "Thu, 01 Foo 1970 00:00:01 GMT"}) {
        EXPECT_FALSE(parse_retry_after(nonsense)) << nonsense;
    }
}

}  // namespace
}  // namespace confab::llm
