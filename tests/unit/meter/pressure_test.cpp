#include "meter/pressure.hpp"

#include <set>

#include <gtest/gtest.h>

#include "meter/pressure_monitor.hpp"

namespace confab::meter {
namespace {

using namespace std::chrono_literals;

MemoryReading at(unsigned percent) {
    return {BoundSource::configured, percent, 100};
}

std::size_t active_count(const Pressure& pressure) {
    std::size_t count = 0;
    for (const ActionRule& rule : kActionRules) {
        count += pressure.active(rule.action) ? 1 : 0;
    }
    return count;
}

TEST(Pressure, begins_its_actions_one_after_the_other) {
    Pressure pressure;
    EXPECT_EQ(pressure.level(), 0.0);
    const unsigned thresholds[] = {70, 75, 80, 85, 90, 95};
    for (std::size_t i = 0; i < kActions; ++i) {
        (void)pressure.update(at(thresholds[i] - 1));
        EXPECT_EQ(active_count(pressure), i) << thresholds[i];
        EXPECT_EQ(pressure.update(at(thresholds[i])), 1U << i) << "tells what changed";
        EXPECT_TRUE(pressure.active(kActionRules[i].action)) << kActionRules[i].name;
        EXPECT_EQ(active_count(pressure), i + 1);
    }
    EXPECT_EQ(pressure.usage_bytes(), 95U);
    EXPECT_EQ(pressure.limit_bytes(), 100U);
    EXPECT_DOUBLE_EQ(pressure.level(), 0.95);
}

TEST(Pressure, ends_an_action_five_percent_below_where_it_began) {
    Pressure pressure;
    (void)pressure.update(at(86));
    ASSERT_TRUE(pressure.active(Action::refuse_runs));
    (void)pressure.update(at(81));
    EXPECT_TRUE(pressure.active(Action::refuse_runs)) << "85 - 5 = 80 is not reached";
    (void)pressure.update(at(79));
    EXPECT_FALSE(pressure.active(Action::refuse_runs));
    EXPECT_TRUE(pressure.active(Action::refuse_over_share)) << "80 - 5 = 75";
    (void)pressure.update(at(81));
    EXPECT_FALSE(pressure.active(Action::refuse_runs)) << "it begins at 85 again";
    (void)pressure.update(at(64));
    EXPECT_EQ(active_count(pressure), 0U);
}

TEST(Pressure, counts_how_often_an_action_began_not_how_long_it_lasts) {
    Pressure pressure;
    for (int i = 0; i < 3; ++i) {
        (void)pressure.update(at(72));
        (void)pressure.update(at(71));
        (void)pressure.update(at(60));
    }
    EXPECT_EQ(pressure.begun(Action::defer_background), 3U);
    EXPECT_EQ(pressure.begun(Action::refuse_uploads), 0U);
}

TEST(Pressure, jumps_to_every_action_at_once) {
    Pressure pressure;
    EXPECT_EQ(pressure.update(at(99)), (1U << kActions) - 1);
    EXPECT_EQ(active_count(pressure), kActions);
}

TEST(Pressure, names_what_it_sheds) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < kSheds; ++i) {
        names.insert(name_of(static_cast<Shed>(i)));
    }
    EXPECT_EQ(names.size(), kSheds);
    EXPECT_FALSE(names.contains(""));
    Pressure pressure;
    pressure.count(Shed::run_refused);
    EXPECT_EQ(pressure.counted(Shed::run_refused), 1U);
    EXPECT_EQ(pressure.counted(Shed::upload_refused), 0U);
    EXPECT_EQ(name_of(Shed::budget_exhausted), "budget_exhausted");
    EXPECT_EQ(name_of(Shed::run_refused), "run_refused");
}

TEST(Jitter, spreads_between_once_and_twice) {
    std::set<std::chrono::seconds> seen;
    for (int i = 0; i < 500; ++i) {
        const auto wait = jittered(4s);
        EXPECT_GE(wait, 4s);
        EXPECT_LE(wait, 8s);
        seen.insert(wait);
    }
    EXPECT_EQ(seen.size(), 5U);
    EXPECT_GE(jittered(0s), 1s);
}

TEST(TrimRule, trims_under_pressure_every_two_seconds) {
    TrimRule rule;
    const TrimRule::Time now{};
    EXPECT_FALSE(rule.due(false, 0, now));
    EXPECT_TRUE(rule.due(true, 0, now));
    EXPECT_FALSE(rule.due(true, 0, now + 1s));
    EXPECT_TRUE(rule.due(true, 0, now + 2s));
}

TEST(TrimRule, trims_when_much_has_been_given_back) {
    constexpr std::uint64_t kMiB = 1024 * 1024;
    TrimRule rule;
    TrimRule::Time now{};
    EXPECT_FALSE(rule.due(false, 20 * kMiB, now));
    EXPECT_FALSE(rule.due(false, 11 * kMiB, now += 3s)) << "not half of it yet";
    EXPECT_TRUE(rule.due(false, 10 * kMiB, now += 3s));
    EXPECT_FALSE(rule.due(false, 9 * kMiB, now += 3s)) << "what was highest counts anew";
    EXPECT_FALSE(rule.due(false, 7 * kMiB, now += 3s));
    EXPECT_TRUE(rule.due(false, 0, now += 3s));
    EXPECT_FALSE(rule.due(false, 3 * kMiB, now += 3s));
    EXPECT_FALSE(rule.due(false, 0, now += 3s)) << "too little to matter";
}

TEST(PressureMonitor, reads_at_once_and_then_again_and_asks_for_interruption) {
    Pressure pressure;
    const ByteBudget budget(1024);
    std::atomic<int> asked{0};
    // A bound that any process exceeds.
    PressureMonitor monitor(MemoryMeter({{BoundSource::configured, 4096, {}}}), pressure, budget, [&] { ++asked; });
    monitor.start();
    EXPECT_GT(pressure.level(), 1.0);
    EXPECT_TRUE(pressure.active(Action::interrupt_runs));
    const auto until = std::chrono::steady_clock::now() + 10s;
    while (asked < 2 && std::chrono::steady_clock::now() < until) {
        std::this_thread::yield();
    }
    monitor.stop();
    EXPECT_GE(asked, 2);
    EXPECT_GE(pressure.counted(Shed::heap_trimmed), 1U);
    const int last = asked;
    monitor.stop();
    EXPECT_EQ(asked, last);
}

}  // namespace
}  // namespace confab::meter
