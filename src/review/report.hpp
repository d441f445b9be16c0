// The report of a review as plain values, and what follows from its figures: scores, findings, a roadmap. The renderers
// (render_*.hpp) turn it into documents.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "review/rules.hpp"
#include "review/timeline.hpp"
#include "review/workload.hpp"

namespace confab::review {

struct SubjectReport {
    std::string name;
    std::string description;
    Figures figures;
    std::vector<LengthRow> lengths;
    std::vector<TimelineSample> samples;
    std::vector<TimelinePhase> phases;
    ProcessFigures idle;
    std::vector<std::string> notes;
    std::map<std::string, double> told;  // what the server says of itself (/metrics), where it does
};

struct Report {
    std::string version;  // of the reviewing program
    std::string date;     // UTC
    std::string machine;
    std::string amount;   // quick, standard, long
    std::vector<std::string> notes;
    std::vector<SubjectReport> subjects;  // the one under review first; at most one to compare with
    double seconds = 0;                   // that it took
};

struct Finding {
    const Rule* rule = nullptr;
    double score = 0;
    double value = 0;
    std::string evidence;

    bool severe() const { return score >= kSevere; }
};

// From kFinding points on, worst first; equals in the order of the rules.
std::vector<Finding> findings_of(const Figures& figures);

struct RoadmapStep {
    const Remedy* remedy = nullptr;
    double points = 0;  // that its findings cost together
    std::vector<const Rule*> rules;
};

// What to do about the findings, in the order of the points that each step takes away.
std::vector<RoadmapStep> roadmap_of(const Figures& figures);

// "7.3", or "not scored".
std::string show_score(std::optional<double> score);

// With as many digits as tell something: "0.02", "57", "1,234".
std::string show_value(double value);

// In one word or two, for the overall score: "flat", "sound", "strained", "at risk", "critical".
std::string_view verdict(double score);

}  // namespace confab::review
