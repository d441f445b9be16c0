#include "net/deadline.hpp"

#include <gtest/gtest.h>

namespace confab::net {
namespace {

using namespace std::chrono_literals;

TEST(Deadline, never_does_not_pass_and_does_not_overflow) {
    EXPECT_FALSE(Deadline::never().passed());
    EXPECT_GT(Deadline::never().left(), 24h * 365);
    EXPECT_EQ(Deadline::never().sooner(Deadline::never()), Deadline::never());
}

TEST(Deadline, passes_and_then_has_nothing_left) {
    EXPECT_TRUE(Deadline::after(0ms).passed());
    EXPECT_EQ(Deadline::after(-1s).left(), Deadline::Clock::duration::zero());
    const auto later = Deadline::after(1h);
    EXPECT_FALSE(later.passed());
    EXPECT_GT(later.left(), 59min);
    EXPECT_LE(later.left(), 1h);
}

TEST(Deadline, the_sooner_of_two_counts) {
    const auto near = Deadline::after(1s);
    const auto far = Deadline::after(1h);
    EXPECT_EQ(near.sooner(far), near);
    EXPECT_EQ(far.sooner(near), near);
    EXPECT_EQ(far.sooner(Deadline::never()), far);
    EXPECT_LT(near, far);
}

}  // namespace
}  // namespace confab::net
