#include "meter/counters.hpp"

#include <array>
#include <memory>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "meter/allocations.hpp"
#include "meter/process.hpp"

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

TEST(Gauge, remembers_its_peak) {
    Gauge gauge;
    gauge.add(3);
    gauge.add(-2);
    gauge.add(1);
    EXPECT_EQ(gauge.peak(), 3);
    gauge.set(7);
    gauge.set(0);
    EXPECT_EQ(gauge.peak(), 7);
}

TEST(Histogram, counts_values_up_to_and_beyond_its_bounds) {
    Histogram histogram{1, 10};
    for (const std::uint64_t value : {0, 1, 2, 10, 11, 1'000}) {
        histogram.observe(value);
    }
    EXPECT_EQ(histogram.bounds().size(), 2U);
    EXPECT_EQ(histogram.count(0), 2U);
    EXPECT_EQ(histogram.count(1), 2U);
    EXPECT_EQ(histogram.count(2), 2U);
    EXPECT_EQ(histogram.sum(), 1'024U);
}

TEST(Allocations, are_counted_on_every_thread) {
    const Allocations before = allocations();
    std::thread([] {
        for (int i = 0; i < 1'000; ++i) {
            const auto memory = std::make_unique<std::array<char, 100>>();
            EXPECT_NE(memory, nullptr);
        }
    }).join();
    const Allocations after = allocations();
    EXPECT_GE(after.count - before.count, 1'000U);
    EXPECT_LT(after.count - before.count, 2'000U);
    EXPECT_GE(after.bytes - before.bytes, 100'000U);
}

TEST(Process, tells_its_memory_files_and_threads) {
    const ProcessFigures before = read_process();
    EXPECT_GT(before.resident_bytes, 1'000'000U);
    EXPECT_GE(before.resident_peak_bytes, before.resident_bytes);
    EXPECT_GE(before.threads, 1U);
    EXPECT_GT(before.open_files_max, before.open_files);
    const int descriptor = ::dup(0);
    ASSERT_GE(descriptor, 0);
    EXPECT_EQ(read_process().open_files, before.open_files + 1);
    ::close(descriptor);
    EXPECT_EQ(read_process().open_files, before.open_files);
    EXPECT_GE(open_files_peak(), before.open_files + 1);
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
