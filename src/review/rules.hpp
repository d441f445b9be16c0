// The rules by which a review scores: what is measured, from which value on it costs points, and what to do about it.
// They are the same for every server; docs/review.md and each report print them.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace confab::review {

// The headings of the review that started Confab.
enum class Heading { memory, lifecycle, streaming, limits };

inline constexpr int kHeadings = 4;

std::string_view heading_title(Heading heading);

// How points grow from `good` (0) to `bad` (10).
enum class Scale { linear, logarithmic };

struct Rule {
    std::string_view id;
    Heading heading;
    std::string_view aspect;  // of the heading, in the original review's words
    std::string_view title;
    std::string_view unit;
    std::string_view how;      // it is measured
    double good;               // up to here 0 points
    double bad;                // from here 10 points
    Scale scale;
    std::string_view finding;  // what is wrong when it costs points
    std::string_view remedy;   // id of a Remedy
};

struct Remedy {
    std::string_view id;
    std::string_view title;
    std::string_view text;
};

// In the order of the report.
std::span<const Rule> rules();
const Rule* find_rule(std::string_view id);
const Remedy& find_remedy(std::string_view id);

// 0 (good or better) to 10 (bad or worse), rounded to a tenth. What is no number or infinite is bad.
double score(const Rule& rule, double value);

// From this many points on a measurement is a finding; from kSevere on a severe one.
inline constexpr double kFinding = 3;
inline constexpr double kSevere = 7;

// What was measured, or why it was not.
struct Figure {
    std::optional<double> value;  // in the rule's unit
    std::string evidence;         // what exactly was seen; or why nothing could be measured
};

using Figures = std::map<std::string, Figure, std::less<>>;  // by the rule's id

// Of a heading: the mean of its scores, at least half of the worst one. Nothing when nothing was measured.
std::optional<double> heading_score(const Figures& figures, Heading heading);

// The mean of the headings that have a score. Nothing when none has.
std::optional<double> overall_score(const Figures& figures);

// The cost of `longer` against `shorter` for each tenfold of the length: 1 is flat, 10 is linear. Below 1 it is 1.
double growth_per_tenfold(double shorter_cost, double longer_cost, double shorter, double longer);

}  // namespace confab::review
