#include "review/report.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace confab::review {

std::vector<Finding> findings_of(const Figures& figures) {
    std::vector<Finding> findings;
    for (const Rule& rule : rules()) {
        const auto figure = figures.find(rule.id);
        if (figure == figures.end() || !figure->second.value) {
            continue;
        }
        const double points = score(rule, *figure->second.value);
        if (points >= kFinding) {
            findings.push_back({&rule, points, *figure->second.value, figure->second.evidence});
        }
    }
    std::ranges::stable_sort(findings, std::greater(), &Finding::score);
    return findings;
}

std::vector<RoadmapStep> roadmap_of(const Figures& figures) {
    std::vector<RoadmapStep> steps;
    for (const Finding& finding : findings_of(figures)) {
        const Remedy& remedy = find_remedy(finding.rule->remedy);
        auto step = std::ranges::find(steps, &remedy, &RoadmapStep::remedy);
        if (step == steps.end()) {
            step = steps.insert(steps.end(), RoadmapStep{&remedy, 0, {}});
        }
        step->points += finding.score;
        step->rules.push_back(finding.rule);
    }
    std::ranges::stable_sort(steps, std::greater(), &RoadmapStep::points);
    return steps;
}

std::string show_score(std::optional<double> score) {
    return score ? fmt::format("{:.1f}", *score) : "not scored";
}

std::string show_value(double value) {
    if (!std::isfinite(value)) {
        return "infinite";
    }
    const double size = std::abs(value);
    if (size < 100) {
        const int places = size < 0.095 ? 3 : size < 10 ? 2 : 1;
        std::string text = fmt::format("{:.{}f}", value, places);
        while (text.ends_with('0')) {
            text.pop_back();
        }
        return text.ends_with('.') ? text.substr(0, text.size() - 1) : text;
    }
    std::string digits = fmt::format("{:.0f}", value);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3) {
        digits.insert(static_cast<std::size_t>(at), ",");
    }
    return digits;
}

std::string_view verdict(double score) {
    if (score <= 1) {
        return "flat";
    }
    if (score < 3) {
        return "sound";
    }
    if (score < 5) {
        return "strained";
    }
    return score < 7 ? "at risk" : "critical";
}

}  // namespace confab::review
