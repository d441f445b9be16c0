// The report's documents: what they say, and that nothing from outside becomes part of them.
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>

#include "base/json.hpp"
#include "review/render_html.hpp"
#include "review/render_json.hpp"
#include "review/render_markdown.hpp"
#include "review/svg_plot.hpp"

namespace confab::review {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kHostile = "<script>alert(1)</script>|[x](javascript:alert(1))`\"'&\x1b[31m\n# heading";

Report make_report(const std::string& name) {
    Report report;
    report.version = "9.9";
    report.date = "2026-01-02 03:04 UTC";
    report.machine = "Linux";
    report.amount = "quick";
    report.notes = {"note " + name};
    SubjectReport subject;
    subject.name = name;
    subject.description = "described " + name;
    subject.notes = {"its " + name};
    subject.figures["memory.leak"] = {20'000, "leaks " + name};
    subject.figures["limits.idle"] = {0.1, "calm"};
    subject.figures["limits.cpu"] = {std::nullopt, "not measurable from outside"};
    subject.lengths = {{100, 1, 2, 3, 4, 5, 600}, {10'000, 10, 20, 30, 40, 50, 60'000}};
    subject.samples = {{0, 1'000'000, 10, 0}, {1, 2'000'000, 11, 0.5}, {2, 1'500'000, 10, 0.6}};
    subject.phases = {{0, 1, "phase " + name}, {1, 2, "second"}};
    subject.told[name] = 4;
    report.subjects.push_back(std::move(subject));
    return report;
}

TEST(Markdown, HasTheReviewsStructureAndTheScores) {
    const std::string text = render_markdown(make_report("Server"));
    for (const char* heading :
         {"# Resource review", "## Memory management", "## Resource lifecycle", "## Streaming and large data", "## CPU and memory limits",
          "## Findings and roadmap", "## Rules"}) {
        EXPECT_THAT(text, HasSubstr(std::string(heading) + "\n"));
    }
    EXPECT_THAT(text, HasSubstr("**Server: 5.0 of 10 (at risk).**"));
    EXPECT_THAT(text, HasSubstr("| Resource lifecycle | not scored |"));
    EXPECT_THAT(text, HasSubstr("1. **Memory is kept after the work it was for** (severe, 10.0): 20,000 bytes/interaction. leaks Server."));
    EXPECT_THAT(text, HasSubstr("1. **Release what was opened** (10 points)."));
    EXPECT_THAT(text, HasSubstr("not measurable from outside"));
}

TEST(Markdown, TakesNothingFromANameButItsLetters) {
    const std::string text = render_markdown(make_report(kHostile));
    EXPECT_THAT(text, Not(testing::ContainsRegex("(^|[^\\\\])<script")));
    EXPECT_THAT(text, Not(testing::ContainsRegex("(^|[^\\\\])\\[x")));
    EXPECT_THAT(text, Not(HasSubstr("\n# heading")));
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    EXPECT_THAT(text, HasSubstr("\\<script\\>alert(1)\\</script\\>\\|\\[x\\](javascript:alert(1))\\`"));
}

TEST(Markdown, TheRulesAreThoseOfTheDocument) {
    std::ifstream file(CONFAB_TESTS_DIR "/../docs/review.md");
    std::ostringstream document;
    document << file.rdbuf();
    EXPECT_THAT(document.str(), HasSubstr(render_rules_markdown())) << "docs/review.md has the table of 'confab review'";
}

TEST(Html, IsOneFileThatFetchesAndRunsNothing) {
    const std::string text = render_html(make_report("Server"));
    EXPECT_THAT(text, testing::StartsWith("<!doctype html>"));
    for (const char* active : {"<script", "src=", "href=", "@import", "url(", "http://", "https://", "onload"}) {
        EXPECT_THAT(text, Not(HasSubstr(active))) << active;
    }
    EXPECT_THAT(text, HasSubstr("prefers-color-scheme:dark"));
    EXPECT_THAT(text, HasSubstr("<svg"));
    EXPECT_THAT(text, HasSubstr("Memory is kept after the work it was for"));
}

TEST(Html, EscapesWhatComesFromOutside) {
    const std::string text = render_html(make_report(kHostile));
    EXPECT_THAT(text, Not(HasSubstr("<script")));
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    EXPECT_THAT(text, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;|[x](javascript:alert(1))`&quot;&#39;&amp;"));
    // As many as without: names open no elements.
    const std::string calm = render_html(make_report("Server"));
    EXPECT_EQ(std::ranges::count(text, '<'), std::ranges::count(calm, '<'));
}

TEST(Json, IsValidAndHasEverything) {
    const auto value = base::parse_json(render_json(make_report(kHostile)));
    ASSERT_TRUE(value);
    const auto& subject = value->at("subjects").at(0);
    EXPECT_EQ(subject.at("name").as_string(), kHostile);
    EXPECT_EQ(subject.at("score").to_number<double>(), 5);
    EXPECT_EQ(subject.at("headings").as_array().size(), 4U);
    EXPECT_TRUE(subject.at("headings").at(1).at("score").is_null());
    EXPECT_EQ(subject.at("measurements").as_array().size(), 3U);
    EXPECT_EQ(subject.at("findings").at(0).at("id").as_string(), "memory.leak");
    EXPECT_EQ(subject.at("roadmap").at(0).at("remedy").as_string(), "release");
    EXPECT_EQ(subject.at("lengths").at(1).at("messages").as_int64(), 10'000);
    EXPECT_EQ(subject.at("timeline").at("samples").as_array().size(), 3U);
    EXPECT_EQ(value->at("rules").as_array().size(), rules().size());
}

TEST(SvgPlot, DrawsEachPointWithinThePicture) {
    Plot plot{.title = "t", .x_label = "x", .y_label = "y", .log_x = true, .log_y = true, .dots = true};
    plot.series.push_back({"s", 0, {{100, 1}, {10'000, 1}, {1'000'000, 500}, {0, 7}}});
    const std::string svg = render_svg(plot);
    EXPECT_THAT(svg, HasSubstr("d=\"M58.0 210.0L256.0 210.0L454.0 "));  // the point at 0 has no logarithm
    EXPECT_THAT(svg, HasSubstr(">1,000,000</text>"));
}

TEST(SvgPlot, WithoutPointsThereIsNone) {
    Plot plot{.title = "t"};
    plot.series.push_back({"s", 0, {}});
    EXPECT_EQ(render_svg(plot), "");
}

TEST(SvgPlot, ThinsOutWithoutLosingAPeak) {
    Plot plot{.title = "t", .wide = true};
    PlotSeries series{"s", 0, {}};
    for (int i = 0; i < 5'000; ++i) {
        series.points.emplace_back(i, i == 2'503 ? 100 : 1);
    }
    plot.series.push_back(std::move(series));
    const std::string svg = render_svg(plot);
    EXPECT_LT(svg.size(), 20'000U);
    EXPECT_THAT(svg, HasSubstr(" 30.0L"));  // the top of the picture
}

}  // namespace
}  // namespace confab::review
