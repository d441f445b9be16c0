#include "meter/allowance.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace confab::meter {
namespace {

using namespace std::chrono_literals;

const MinuteBucket::Time kStart = MinuteBucket::Time() + 1h;

LimitValues limits(LimitKind kind, std::int64_t value) {
    LimitValues values = kNoLimits;
    values[static_cast<std::size_t>(kind)] = value;
    return values;
}

Allowance::Moment at(MinuteBucket::Duration since_start, std::int64_t month = 100) {
    return {kStart + since_start, month, std::chrono::hours(24)};
}

AllowancePtr make(LimitKind kind, std::int64_t value, MonthSum used = {}) {
    return std::make_shared<Allowance>(limits(kind, value), 100, used);
}

TEST(MinuteBucketTest, GivesItsLimitAtOnceThenOneAfterTheOther) {
    MinuteBucket bucket;
    for (int i = 0; i < 6; ++i) {
        EXPECT_EQ(bucket.read(6, kStart).remaining, 6 - i);
        EXPECT_TRUE(bucket.take(6, kStart));
    }
    EXPECT_FALSE(bucket.take(6, kStart));
    EXPECT_EQ(bucket.read(6, kStart).until_one, 10s);
    EXPECT_EQ(bucket.read(6, kStart).until_full, 60s);
    EXPECT_FALSE(bucket.take(6, kStart + 9'999ms));
    EXPECT_TRUE(bucket.take(6, kStart + 10s));
    EXPECT_FALSE(bucket.take(6, kStart + 10s));
    EXPECT_EQ(bucket.read(6, kStart + 70s).remaining, 6) << "it holds no more than its limit";
}

TEST(MinuteBucketTest, EveryLimitIsTheWholeOfIt) {
    for (const std::int64_t limit : {1, 3, 7, 60, 61, 999, 100'000}) {
        MinuteBucket bucket;
        std::int64_t taken = 0;
        while (taken <= limit && bucket.take(limit, kStart)) {
            ++taken;
        }
        EXPECT_EQ(taken, limit);
    }
}

TEST(MinuteBucketTest, DebtIsWaitedForButNotForEver) {
    MinuteBucket bucket;
    bucket.charge(60, 90, kStart);
    EXPECT_EQ(bucket.read(60, kStart).remaining, 0);
    EXPECT_EQ(bucket.read(60, kStart).until_one, 31s);
    EXPECT_EQ(bucket.read(60, kStart + 31s).remaining, 1);
    bucket.charge(1, 1'000'000'000'000, kStart);
    bucket.charge(1, 1'000'000'000'000, kStart);
    EXPECT_LE(bucket.read(1, kStart).until_full, kTokenDebtMax);
    EXPECT_GT(bucket.read(1, kStart).until_full, 50min);
}

TEST(MinuteBucketTest, ZeroIsNothingAndNoLimitIsEverything) {
    MinuteBucket bucket;
    EXPECT_FALSE(bucket.take(0, kStart));
    EXPECT_EQ(bucket.read(0, kStart).remaining, 0);
    EXPECT_TRUE(bucket.take(kUnlimited, kStart));
    EXPECT_EQ(bucket.read(kUnlimited, kStart).limit, kUnlimited);
}

TEST(AllowanceTest, NothingIsLimitedButWhatIs) {
    Allowance allowance(kNoLimits, 100, {});
    for (int i = 0; i < 10'000; ++i) {
        EXPECT_FALSE(allowance.begin(at(0s)));
    }
    EXPECT_EQ(allowance.under_way(), 10'000);
    EXPECT_EQ(allowance.used_in(100).requests, 10'000);
}

TEST(AllowanceTest, ConcurrentAnswersAreGivenBack) {
    const auto allowance = make(LimitKind::concurrent_answers, 2);
    EXPECT_FALSE(allowance->begin(at(0s)));
    EXPECT_FALSE(allowance->begin(at(0s)));
    const auto refused = allowance->begin(at(0s));
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->kind, LimitKind::concurrent_answers);
    EXPECT_EQ(refused->limit, 2);
    EXPECT_EQ(allowance->under_way(), 2);
    allowance->end(5, at(1s));
    EXPECT_FALSE(allowance->begin(at(1s)));
}

TEST(AllowanceTest, ARefusalCountsForNothing) {
    LimitValues values = limits(LimitKind::requests_per_minute, 1);
    values[static_cast<std::size_t>(LimitKind::requests_per_month)] = 10;
    Allowance allowance(values, 100, {});
    EXPECT_FALSE(allowance.begin(at(0s)));
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(allowance.begin(at(0s))->kind, LimitKind::requests_per_minute);
    }
    EXPECT_EQ(allowance.under_way(), 1);
    EXPECT_EQ(allowance.used_in(100).requests, 1);
}

TEST(AllowanceTest, AnAnswerWithoutTokensDoesNotCountForTheMonth) {
    const auto allowance = make(LimitKind::requests_per_month, 2, {1, 50});
    EXPECT_FALSE(allowance->begin(at(0s)));
    EXPECT_EQ(allowance->begin(at(0s))->kind, LimitKind::requests_per_month);
    allowance->end(std::nullopt, at(1s));
    EXPECT_FALSE(allowance->begin(at(1s)));
    allowance->end(7, at(2s));
    const auto refused = allowance->begin(at(2s));
    EXPECT_EQ(refused->kind, LimitKind::requests_per_month);
    EXPECT_EQ(refused->retry_after, 24h);
    EXPECT_EQ(allowance->used_in(100).tokens, 57);
}

TEST(AllowanceTest, AMonthBeginsWithNothing) {
    const auto allowance = make(LimitKind::tokens_per_month, 100, {3, 100});
    EXPECT_EQ(allowance->begin(at(0s))->kind, LimitKind::tokens_per_month);
    EXPECT_FALSE(allowance->begin(at(0s, 101)));
    EXPECT_EQ(allowance->used_in(101).requests, 1);
    EXPECT_EQ(allowance->used_in(100).requests, 0) << "last month is the store's business";
    allowance->end(std::nullopt, at(0s, 102));
    EXPECT_EQ(allowance->used_in(102).requests, 0) << "one that began last month is not taken off this one";
}

TEST(AllowanceTest, TokensAreChargedAtTheEnd) {
    const auto allowance = make(LimitKind::tokens_per_minute, 100);
    EXPECT_FALSE(allowance->begin(at(0s)));
    EXPECT_FALSE(allowance->begin(at(0s)));
    allowance->end(150, at(0s));
    const auto refused = allowance->begin(at(0s));
    EXPECT_EQ(refused->kind, LimitKind::tokens_per_minute);
    EXPECT_EQ(refused->retry_after, 30'600ms);
    EXPECT_FALSE(allowance->begin(at(30'600ms)));
}

TEST(AllowanceTest, NewLimitsHoldForWhatComes) {
    const auto allowance = make(LimitKind::requests_per_minute, 1);
    EXPECT_FALSE(allowance->begin(at(0s)));
    EXPECT_TRUE(allowance->begin(at(0s)));
    allowance->set_limits(kNoLimits);
    EXPECT_FALSE(allowance->begin(at(0s)));
}

TEST(TicketTest, AKeyThatRefusesTakesNothingFromItsPerson) {
    const auto person = make(LimitKind::requests_per_minute, 2);
    const auto key = make(LimitKind::requests_per_minute, 0);
    TicketPtr ticket;
    const auto refused = begin_answer(person, key, ticket);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->limit, 0);
    EXPECT_FALSE(ticket);
    EXPECT_EQ(person->under_way(), 0);
    EXPECT_EQ(person->requests(std::chrono::steady_clock::now()).remaining, 2);
}

TEST(TicketTest, ChargesBothWhenItEnds) {
    const std::int64_t month = moment_now().month;
    const auto person = std::make_shared<Allowance>(kNoLimits, month, MonthSum{});
    const auto key = std::make_shared<Allowance>(kNoLimits, month, MonthSum{});
    TicketPtr ticket;
    EXPECT_FALSE(begin_answer(person, key, ticket));
    EXPECT_EQ(person->under_way(), 1);
    ticket->charge(42);
    ticket.reset();
    for (const auto& one : {person, key}) {
        EXPECT_EQ(one->under_way(), 0);
        EXPECT_EQ(one->used_in(month).tokens, 42);
        EXPECT_EQ(one->used_in(month).requests, 1);
    }
}

TEST(AllowanceTest, HoldsOnSeveralThreads) {
    LimitValues values = limits(LimitKind::requests_per_minute, 1'000);
    values[static_cast<std::size_t>(LimitKind::concurrent_answers)] = 3;
    Allowance allowance(values, 100, {});
    std::atomic<int> admitted{0};
    std::atomic<std::int64_t> most{0};
    const auto work = [&] {
        for (int i = 0; i < 2'000; ++i) {
            if (!allowance.begin(at(0s))) {
                ++admitted;
                const std::int64_t now = allowance.under_way();
                std::int64_t known = most.load();
                while (known < now && !most.compare_exchange_weak(known, now)) {
                }
                allowance.end(1, at(0s));
            }
        }
    };
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back(work);
        }
    }
    EXPECT_LE(admitted, 1'000);
    EXPECT_GT(admitted, 0);
    EXPECT_EQ(allowance.under_way(), 0);
    EXPECT_EQ(allowance.used_in(100).tokens, admitted);
    EXPECT_EQ(allowance.used_in(100).requests, admitted);
}

}  // namespace
}  // namespace confab::meter
