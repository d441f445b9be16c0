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

TEST(MemoryLimit, is_at_most_the_machine_and_more_than_nothing) {
    EXPECT_GT(memory_limit_bytes(), std::uint64_t{16} << 20);
    EXPECT_LT(memory_limit_bytes(), std::uint64_t{1} << 50);
}

}  // namespace
}  // namespace confab::meter
