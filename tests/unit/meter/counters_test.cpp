#include "meter/counters.hpp"

#include <gtest/gtest.h>

namespace confab::meter {
namespace {

TEST(Counters, count) {
    Counter counter;
    counter.add();
    counter.add(4);
    EXPECT_EQ(counter.value(), 5U);
    Gauge gauge;
    gauge.set(3);
    gauge.add(-5);
    EXPECT_EQ(gauge.value(), -2);
}

TEST(LiveHandle, counts_one_for_as_long_as_it_lives_even_when_moved) {
    Gauge gauge;
    {
        LiveHandle first(gauge);
        EXPECT_EQ(gauge.value(), 1);
        const LiveHandle second(std::move(first));
        EXPECT_EQ(gauge.value(), 1);
        const LiveHandle third(gauge);
        EXPECT_EQ(gauge.value(), 2);
    }
    EXPECT_EQ(gauge.value(), 0);
}

}  // namespace
}  // namespace confab::meter
