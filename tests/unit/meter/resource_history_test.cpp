#include "meter/resource_history.hpp"

#include <gtest/gtest.h>

#include "meter/visit_counters.hpp"

namespace confab::meter {
namespace {

std::size_t place_of(std::string_view name) {
    return static_cast<std::size_t>(std::ranges::find(kHistoryMeters, name) - kHistoryMeters.begin());
}

ResourceHistory::Collector collect(const Counters& counters) {
    ResourceHistory::Collector now;
    visit_counters(now, counters);
    return now;
}

TEST(ResourceHistory, keeps_gauges_as_they_are_and_counters_as_growth_per_second) {
    Counters counters;
    ResourceHistory history;
    counters.runs.started.add(100);
    history.add(1'000, collect(counters));
    EXPECT_TRUE(history.since(0).empty()) << "nothing is known of the growth yet";
    counters.runs.started.add(20);
    counters.runs.live.set(3);
    history.add(1'005, collect(counters));
    const auto samples = history.since(0);
    ASSERT_EQ(samples.size(), 1U);
    EXPECT_EQ(samples[0].at, 1'005);
    EXPECT_FLOAT_EQ(samples[0].values[place_of("confab_runs_started_total")], 4);
    EXPECT_FLOAT_EQ(samples[0].values[place_of("confab_runs_live")], 3);
}

TEST(ResourceHistory, adds_up_the_values_of_a_meter_with_labels) {
    ResourceHistory history;
    ResourceHistory::Collector now;
    for (const char* upstream : {"a", "b"}) {
        now.value(MeterKind::gauge, "confab_upstream_slots_waiting", "", 2, {"upstream", upstream});
    }
    history.add(1, now);
    history.add(2, now);
    EXPECT_FLOAT_EQ(history.since(0)[0].values[place_of("confab_upstream_slots_waiting")], 4);
}

TEST(ResourceHistory, forgets_the_oldest_and_gives_what_is_new) {
    Counters counters;
    ResourceHistory history;
    const std::int64_t last = ResourceHistory::kSamplesMax + 50;
    for (std::int64_t at = 0; at <= last; ++at) {
        history.add(at, collect(counters));
    }
    const auto all = history.since(0);
    ASSERT_EQ(all.size(), ResourceHistory::kSamplesMax);
    EXPECT_EQ(all.front().at, 51);
    EXPECT_EQ(all.back().at, last);
    EXPECT_EQ(history.since(last - 2).size(), 2U);
    EXPECT_TRUE(history.since(last).empty());
}

TEST(ResourceHistory, skips_a_sample_when_the_clock_goes_back) {
    Counters counters;
    ResourceHistory history;
    history.add(100, collect(counters));
    history.add(90, collect(counters));
    EXPECT_TRUE(history.since(0).empty());
    history.add(95, collect(counters));
    EXPECT_EQ(history.since(0).size(), 1U);
}

}  // namespace
}  // namespace confab::meter
