#include "review/rules.hpp"

#include <limits>
#include <set>

#include <gmock/gmock.h>

#include "review/report.hpp"

namespace confab::review {
namespace {

constexpr Rule kLinearRule{"x", Heading::memory, "", "", "", "", 1, 3, Scale::linear, "", "release"};
constexpr Rule kLogRule{"x", Heading::memory, "", "", "", "", 10, 1'000, Scale::logarithmic, "", "release"};

TEST(Rules, EachHasAnIdOfItsOwnARemedyAndSoundBounds) {
    std::set<std::string_view> ids;
    std::set<Heading> headings;
    for (const Rule& rule : rules()) {
        EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
        headings.insert(rule.heading);
        EXPECT_FALSE(find_remedy(rule.remedy).text.empty());
        EXPECT_FALSE(rule.how.empty() || rule.finding.empty() || rule.unit.empty() || rule.aspect.empty()) << rule.id;
        EXPECT_LT(rule.good, rule.bad) << rule.id;
        EXPECT_TRUE(rule.scale == Scale::linear || rule.good > 0) << rule.id;  // a logarithm wants it
        EXPECT_EQ(find_rule(rule.id), &rule);
    }
    EXPECT_EQ(headings.size(), static_cast<std::size_t>(kHeadings));
    EXPECT_EQ(find_rule("nothing"), nullptr);
}

TEST(Score, IsZeroUpToGoodAndTenFromBad) {
    for (const Rule& rule : rules()) {
        EXPECT_EQ(score(rule, 0), 0) << rule.id;
        EXPECT_EQ(score(rule, rule.good), 0) << rule.id;
        EXPECT_EQ(score(rule, rule.bad), 10) << rule.id;
        EXPECT_EQ(score(rule, rule.bad * 100), 10) << rule.id;
    }
}

TEST(Score, GrowsBetweenThemByItsScale) {
    EXPECT_EQ(score(kLinearRule, 2), 5);
    EXPECT_EQ(score(kLinearRule, 1.5), 2.5);
    EXPECT_EQ(score(kLogRule, 100), 5);
    EXPECT_EQ(score(kLogRule, 31.6227766), 2.5);
}

TEST(Score, WhatIsNoNumberIsBad) {
    EXPECT_EQ(score(kLinearRule, std::numeric_limits<double>::infinity()), 10);
    EXPECT_EQ(score(kLinearRule, std::numeric_limits<double>::quiet_NaN()), 10);
}

// All measurements of a heading at zero, but for one.
Figures figures_of(Heading heading, std::string_view id, double value) {
    Figures figures;
    for (const Rule& rule : rules()) {
        if (rule.heading == heading) {
            figures[std::string(rule.id)] = {rule.id == id ? value : 0, "seen"};
        }
    }
    return figures;
}

TEST(HeadingScore, IsTheMeanButAtLeastHalfOfTheWorst) {
    EXPECT_EQ(heading_score(figures_of(Heading::memory, "memory.leak", 0), Heading::memory), 0);
    EXPECT_EQ(heading_score(figures_of(Heading::memory, "memory.leak", 1e9), Heading::memory), 5);
    Figures all;
    for (const Rule& rule : rules()) {
        all[std::string(rule.id)] = {rule.bad, "seen"};
    }
    EXPECT_EQ(heading_score(all, Heading::memory), 10);
    EXPECT_EQ(overall_score(all), 10);
}

TEST(HeadingScore, WhatWasNotMeasuredDoesNotCount) {
    Figures figures;
    figures["memory.leak"] = {1e9, "seen"};
    figures["memory.churn"] = {std::nullopt, "not measurable from outside"};
    EXPECT_EQ(heading_score(figures, Heading::memory), 10);
    EXPECT_EQ(heading_score(figures, Heading::limits), std::nullopt);
    EXPECT_EQ(overall_score(figures), 10);  // not diluted by headings without a score
    EXPECT_EQ(overall_score({}), std::nullopt);
}

TEST(GrowthPerTenfold, IsOneWhenFlatAndTenWhenLinear) {
    EXPECT_DOUBLE_EQ(growth_per_tenfold(3, 3, 1'000, 10'000), 1);
    EXPECT_DOUBLE_EQ(growth_per_tenfold(3, 30, 1'000, 10'000), 10);
    EXPECT_NEAR(growth_per_tenfold(3, 300, 1'000, 100'000), 10, 1e-9);
    EXPECT_DOUBLE_EQ(growth_per_tenfold(3, 1, 1'000, 10'000), 1);  // falling is flat
    EXPECT_DOUBLE_EQ(growth_per_tenfold(0, 1, 1'000, 10'000), 1);  // nothing to compare with
}

TEST(Findings, AreTheWorstFirstAndOnlyThoseThatMatter) {
    Figures figures;
    figures["memory.leak"] = {16'384, "a leak"};       // 10
    figures["lifecycle.descriptors"] = {10, "some"};   // 5
    figures["limits.idle"] = {0.6, "a little"};        // below 3
    figures["limits.cpu"] = {std::nullopt, "unknown"};
    const auto findings = findings_of(figures);
    ASSERT_EQ(findings.size(), 2U);
    EXPECT_EQ(findings[0].rule->id, "memory.leak");
    EXPECT_TRUE(findings[0].severe());
    EXPECT_EQ(findings[1].rule->id, "lifecycle.descriptors");
    EXPECT_FALSE(findings[1].severe());
    EXPECT_EQ(findings[1].evidence, "some");
}

TEST(Roadmap, JoinsFindingsWithOneRemedyAndPutsWhatHelpsMostFirst) {
    Figures figures;
    figures["lifecycle.model"] = {1, "x"};          // 10 points, alone
    figures["memory.leak"] = {16'384, "x"};         // 10 points
    figures["lifecycle.descriptors"] = {10, "x"};   // 5 points, the same remedy
    const auto steps = roadmap_of(figures);
    ASSERT_EQ(steps.size(), 2U);
    EXPECT_EQ(steps[0].remedy->id, "release");
    EXPECT_EQ(steps[0].rules.size(), 2U);
    EXPECT_NEAR(steps[0].points, 15, 0.1);
    EXPECT_EQ(steps[1].remedy->id, "keep-client");
    EXPECT_TRUE(roadmap_of({}).empty());
}

TEST(ShowValue, HasTheDigitsThatTellSomething) {
    EXPECT_EQ(show_value(0), "0");
    EXPECT_EQ(show_value(0.0123), "0.012");
    EXPECT_EQ(show_value(1), "1");
    EXPECT_EQ(show_value(1.5), "1.5");
    EXPECT_EQ(show_value(57.34), "57.3");
    EXPECT_EQ(show_value(50), "50");
    EXPECT_EQ(show_value(0.05), "0.05");
    EXPECT_EQ(show_value(100), "100");
    EXPECT_EQ(show_value(1234.5), "1,234");
    EXPECT_EQ(show_value(12345678), "12,345,678");
    EXPECT_EQ(show_value(std::numeric_limits<double>::infinity()), "infinite");
}

TEST(Pressure, IsJudgedByWhatHappened) {
    const MemoryLimit limit = MemoryLimit::make(64ULL * 1024 * 1024);
    const auto points = [&](PressureOutcome outcome, const char* ending) { return judge_pressure(outcome, limit, 16, ending).value; };
    EXPECT_EQ(points({.served = 9}, ""), 0);
    EXPECT_EQ(points({.served = 9, .refused = 5}, ""), 0);
    EXPECT_EQ(points({.served = 9, .refused = 5, .refused_without_hint = 1}, ""), 2);
    EXPECT_EQ(points({.served = 9, .failed = 1, .first_failure = "status 500"}, ""), 5);
    EXPECT_EQ(points({.served = 9}, "was killed by signal 9"), 10);
}

TEST(Pressure, BringsHistoriesForTwiceTheLimit) {
    constexpr std::uint64_t kMib = 1024 * 1024;
    EXPECT_EQ(pressing_visitors(192 * kMib, 10'000), 100);
    EXPECT_EQ(pressing_visitors(192 * kMib, 100'000), 16);
    EXPECT_EQ(pressing_visitors(192 * kMib, 100), 400);
}

}  // namespace
}  // namespace confab::review
