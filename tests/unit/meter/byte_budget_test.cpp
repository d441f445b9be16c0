#include "meter/byte_budget.hpp"

#include <limits>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace confab::meter {
namespace {

TEST(ByteBudget, leases_until_it_is_used_up_and_takes_back) {
    ByteBudget budget(100);
    auto first = budget.try_lease(60);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->bytes(), 60U);
    EXPECT_FALSE(budget.try_lease(41));
    {
        const auto second = budget.try_lease(40);
        ASSERT_TRUE(second);
        EXPECT_EQ(budget.bytes_leased(), 100U);
        EXPECT_FALSE(budget.try_lease(1));
        EXPECT_TRUE(budget.try_lease(0));
    }
    EXPECT_EQ(budget.bytes_leased(), 60U);
    first->release();
    first->release();
    EXPECT_EQ(budget.bytes_leased(), 0U);
    EXPECT_EQ(budget.bytes_max(), 100U);
}

TEST(ByteBudget, does_not_wrap_around_on_absurd_sizes) {
    ByteBudget budget(100);
    const auto held = budget.try_lease(50);
    EXPECT_FALSE(budget.try_lease(std::numeric_limits<std::uint64_t>::max()));
    EXPECT_FALSE(budget.try_lease(std::numeric_limits<std::uint64_t>::max() - 40));
    EXPECT_EQ(budget.bytes_leased(), 50U);
}

TEST(Lease, grows_only_while_there_is_room) {
    ByteBudget budget(100);
    auto lease = budget.try_lease(10);
    EXPECT_TRUE(lease->grow(90));
    EXPECT_FALSE(lease->grow(1));
    EXPECT_EQ(lease->bytes(), 100U);
    lease->release();
    EXPECT_FALSE(lease->grow(1));
    Lease empty;
    EXPECT_FALSE(empty.grow(1));
    EXPECT_EQ(budget.bytes_leased(), 0U);
}

TEST(Lease, moves_without_being_counted_twice) {
    ByteBudget budget(100);
    Lease target = *budget.try_lease(30);
    Lease source = *budget.try_lease(50);
    target = std::move(source);
    EXPECT_EQ(budget.bytes_leased(), 50U);
    EXPECT_EQ(target.bytes(), 50U);
    Lease& same = target;
    target = std::move(same);
    EXPECT_EQ(target.bytes(), 50U);
    {
        const Lease moved(std::move(target));
        EXPECT_EQ(budget.bytes_leased(), 50U);
    }
    EXPECT_EQ(budget.bytes_leased(), 0U);
}

TEST(ByteBudget, is_exact_under_contention) {
    ByteBudget budget(1000);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 20'000; ++i) {
                auto lease = budget.try_lease(300);
                if (lease && lease->grow(100)) {
                    EXPECT_LE(budget.bytes_leased(), 1000U);
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(budget.bytes_leased(), 0U);
}

TEST(ByteBudget, knows_what_its_bytes_are_for) {
    ByteBudget budget(1000);
    auto body = *budget.try_lease(100, Purpose::bodies, 1);
    const auto run = *budget.try_lease(50, Purpose::runs, 1);
    EXPECT_EQ(budget.bytes_leased(Purpose::bodies), 100U);
    EXPECT_EQ(budget.bytes_leased(Purpose::runs), 50U);
    EXPECT_EQ(budget.bytes_leased(), 150U);
    EXPECT_TRUE(body.grow(10));
    body.shrink_to(30);
    body.shrink_to(40);
    EXPECT_EQ(body.bytes(), 30U);
    EXPECT_EQ(budget.bytes_leased(Purpose::bodies), 30U);
    EXPECT_EQ(budget.bytes_leased(), 80U);
    body.release();
    EXPECT_EQ(budget.bytes_leased(Purpose::bodies), 0U);
    for (std::size_t i = 0; i < kPurposes; ++i) {
        EXPECT_FALSE(name_of(static_cast<Purpose>(i)).empty());
    }
    EXPECT_EQ(name_of(Purpose::background), "background");
}

TEST(ByteBudget, leaves_half_of_itself_to_what_is_no_connection) {
    ByteBudget budget(1000);
    const auto connections = budget.try_lease(500, Purpose::connections);
    ASSERT_TRUE(connections);
    EXPECT_FALSE(budget.try_lease(1, Purpose::connections));
    EXPECT_TRUE(budget.try_lease(500, Purpose::runs));
}

TEST(ByteBudget, lets_nobody_hold_more_than_the_cap_but_in_one_piece) {
    Pressure pressure;
    ByteBudget budget(BudgetLimits{1000, 300, 4, 2}, &pressure);
    auto first = *budget.try_lease(200, Purpose::bodies, 7);
    const auto refused = budget.try_lease(101, Purpose::bodies, 7);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().errc, base::Errc::rate_limited);
    EXPECT_EQ(refused.error().code, "user_memory_exceeded");
    EXPECT_TRUE(refused.error().retry_after);
    EXPECT_EQ(pressure.counted(Shed::bytes_over_quota), 1U);
    EXPECT_EQ(budget.bytes_leased(), 200U) << "what was refused is not held";
    EXPECT_TRUE(budget.try_lease(101, Purpose::bodies, 8)) << "somebody else has a cap of their own";
    {
        const auto second = *budget.try_lease(100, Purpose::runs, 7);
        EXPECT_FALSE(first.grow(1));
    }
    EXPECT_TRUE(first.grow(500)) << "a single request may be larger than the cap";
    EXPECT_FALSE(budget.try_lease(1, Purpose::runs, 7)) << "but nothing comes beside it";
    first.release();
    EXPECT_TRUE(budget.try_lease(900, Purpose::bodies, 7));
}

TEST(ByteBudget, says_503_when_it_is_used_up_itself) {
    Pressure pressure;
    ByteBudget budget(BudgetLimits{1000, 300, 4, 2}, &pressure);
    const auto held = budget.try_lease(900);
    const auto refused = budget.try_lease(200, Purpose::runs, 7);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().errc, base::Errc::unavailable);
    EXPECT_EQ(refused.error().code, "overloaded");
    EXPECT_EQ(pressure.counted(Shed::budget_exhausted), 1U);
    EXPECT_EQ(budget.active_users(), 0U) << "the user's account is not charged either";
    EXPECT_TRUE(budget.heaviest_users(10).empty());
}

TEST(ByteBudget, divides_itself_among_the_users_who_hold_something) {
    ByteBudget budget(BudgetLimits{1000, 1000, 4, 2});
    EXPECT_EQ(budget.fair_share(), 1000U);
    auto ada = *budget.try_lease(400, Purpose::runs, 1);
    EXPECT_EQ(budget.active_users(), 1U);
    EXPECT_FALSE(budget.is_over_share(1));
    auto bob = *budget.try_lease(10, Purpose::runs, 2);
    auto eve = *budget.try_lease(10, Purpose::runs, 5000);
    EXPECT_EQ(budget.active_users(), 3U);
    EXPECT_EQ(budget.fair_share(), 333U);
    EXPECT_TRUE(budget.is_over_share(1));
    EXPECT_FALSE(budget.is_over_share(2));
    EXPECT_FALSE(budget.is_over_share(3)) << "somebody who holds nothing";
    auto more = *budget.try_lease(20, Purpose::bodies, 5000);
    const auto heaviest = budget.heaviest_users(2);
    ASSERT_EQ(heaviest.size(), 2U);
    EXPECT_EQ(heaviest[0].user_no, 1);
    EXPECT_EQ(heaviest[0].bytes, 400U);
    EXPECT_EQ(heaviest[1].user_no, 5000);
    EXPECT_EQ(heaviest[1].bytes, 30U);
    more.release();
    EXPECT_EQ(budget.active_users(), 3U);
    ada.release();
    bob.release();
    eve.release();
    EXPECT_EQ(budget.active_users(), 0U);
}

TEST(Slots, are_counted_for_each_user) {
    Pressure pressure;
    ByteBudget budget(BudgetLimits{1000, 1000, 2, 1}, &pressure);
    Slot first = budget.try_run(1);
    const Slot second = budget.try_run(1);
    EXPECT_TRUE(first && second);
    EXPECT_FALSE(budget.try_run(1));
    EXPECT_TRUE(budget.try_run(2));
    {
        const Slot place = budget.try_wait(1);
        EXPECT_TRUE(place);
        EXPECT_FALSE(budget.try_wait(1));
        EXPECT_TRUE(budget.try_wait(2));
    }
    EXPECT_TRUE(budget.try_wait(1));
    const auto error = budget.too_many_runs().error();
    EXPECT_EQ(error.errc, base::Errc::rate_limited);
    EXPECT_EQ(error.code, "user_runs_exceeded");
    EXPECT_EQ(pressure.counted(Shed::run_over_quota), 1U);
    Slot moved = std::move(first);
    first.release();
    EXPECT_FALSE(budget.try_run(1)) << "what was moved away gives nothing back";
    moved.release();
    moved.release();
    const Slot third = budget.try_run(1);
    EXPECT_TRUE(third);
    EXPECT_FALSE(budget.try_run(1));
}

TEST(Slots, of_sign_ins_are_as_many_as_the_caller_allows) {
    ByteBudget budget(1000);
    const Slot first = budget.try_sign_in(1);
    EXPECT_TRUE(first);
    EXPECT_FALSE(budget.try_sign_in(1));
    EXPECT_TRUE(budget.try_sign_in(2));
}

TEST(UserAccounts, keep_users_apart_on_all_pages) {
    UserAccounts accounts;
    for (const std::int64_t user : {1, 1023, 1024, 4'000'000}) {
        EXPECT_TRUE(accounts.take(accounts.of(user), static_cast<std::uint64_t>(user), 5'000'000));
    }
    EXPECT_EQ(accounts.of(1023).bytes.load(), 1023U);
    EXPECT_EQ(&accounts.of(1024), &accounts.of(1024));
    EXPECT_EQ(accounts.active(), 4U);
    EXPECT_EQ(accounts.heaviest(10).size(), 4U);
    EXPECT_EQ(accounts.heaviest(1)[0].user_no, 4'000'000);
}

TEST(UserAccounts, are_exact_under_contention) {
    ByteBudget budget(BudgetLimits{1'000'000, 500, 4, 2});
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&budget, t] {
            for (int i = 0; i < 20'000; ++i) {
                const auto lease = budget.try_lease(150, Purpose::runs, 1 + (i + t) % 3);
                const Slot slot = budget.try_run(1 + i % 3);
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(budget.bytes_leased(), 0U);
    EXPECT_EQ(budget.bytes_leased(Purpose::runs), 0U);
    EXPECT_EQ(budget.active_users(), 0U);
    EXPECT_TRUE(budget.heaviest_users(5).empty());
}

TEST(BudgetOf, is_four_fifths_less_what_is_spent_anyway) {
    constexpr std::uint64_t kMiB = 1024 * 1024;
    EXPECT_EQ(budget_of(1000 * kMiB, 6 * kMiB, 38 * kMiB), (800 - 24 - 6 - 38) * kMiB);
    EXPECT_EQ(budget_of(64 * kMiB, 6 * kMiB, 38 * kMiB), kBudgetBytesMin) << "never nothing";
}

}  // namespace
}  // namespace confab::meter
