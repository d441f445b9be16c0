#include "review/render_markdown.hpp"

#include <fmt/format.h>

#include "review/samples.hpp"

namespace confab::review {

namespace {

// Text from outside within a line or a cell.
std::string plain(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
            safe += ' ';
        } else if (std::string_view("\\`*_[]<>|&").find(c) != std::string_view::npos) {
            safe += '\\';
            safe += c;
        } else {
            safe += c;
        }
    }
    return safe;
}

// Our own texts hold code in backticks, which is meant; only what would end a cell is taken out.
std::string cell(std::string_view text) {
    std::string safe(text);
    std::ranges::replace(safe, '|', '/');
    return safe;
}

std::string value_with_unit(const Rule& rule, double value) {
    return rule.unit == "%" ? show_value(value) + " %" : fmt::format("{} {}", show_value(value), rule.unit);
}

const Figure* figure_of(const SubjectReport& subject, const Rule& rule) {
    const auto found = subject.figures.find(rule.id);
    return found == subject.figures.end() ? nullptr : &found->second;
}

// "12 KiB (3.4)", or a dash.
std::string scored(const SubjectReport& subject, const Rule& rule) {
    const Figure* figure = figure_of(subject, rule);
    if (figure == nullptr || !figure->value) {
        return "–";
    }
    return fmt::format("{} → **{:.1f}**", value_with_unit(rule, *figure->value), score(rule, *figure->value));
}

void add_scores(std::string& out, const Report& report) {
    out += "| score (0 to 10, higher is worse) |";
    for (const SubjectReport& subject : report.subjects) {
        out += " " + plain(subject.name) + " |";
    }
    out += "\n| --- |";
    for (std::size_t i = 0; i < report.subjects.size(); ++i) {
        out += " ---: |";
    }
    out += "\n| **Overall** |";
    for (const SubjectReport& subject : report.subjects) {
        out += " **" + show_score(overall_score(subject.figures)) + "** |";
    }
    for (int i = 0; i < kHeadings; ++i) {
        const auto heading = static_cast<Heading>(i);
        out += fmt::format("\n| {} |", heading_title(heading));
        for (const SubjectReport& subject : report.subjects) {
            out += " " + show_score(heading_score(subject.figures, heading)) + " |";
        }
    }
    out += "\n\n";
}

void add_heading(std::string& out, const Report& report, Heading heading) {
    out += fmt::format("## {}\n\n| aspect | measured |", heading_title(heading));
    for (const SubjectReport& subject : report.subjects) {
        out += " " + plain(subject.name) + " → score |";
    }
    out += "\n| --- | --- |";
    for (std::size_t i = 0; i < report.subjects.size(); ++i) {
        out += " --- |";
    }
    out += "\n";
    for (const Rule& rule : rules()) {
        if (rule.heading != heading) {
            continue;
        }
        out += fmt::format("| {} | {} |", rule.aspect, cell(rule.title));
        for (const SubjectReport& subject : report.subjects) {
            out += " " + scored(subject, rule) + " |";
        }
        out += "\n";
    }
    out += "\nEvidence:\n\n";
    for (const Rule& rule : rules()) {
        for (const SubjectReport& subject : report.subjects) {
            const Figure* figure = rule.heading == heading ? figure_of(subject, rule) : nullptr;
            if (figure != nullptr) {
                out += fmt::format("- {}, {}: {}.\n", rule.title, plain(subject.name), plain(figure->evidence));
            }
        }
    }
    out += "\n";
}

void add_findings(std::string& out, const SubjectReport& subject) {
    const auto findings = findings_of(subject.figures);
    out += fmt::format("### {}\n\n", plain(subject.name));
    if (findings.empty()) {
        out += "No findings: nothing that was measured costs 3 points or more.\n\n";
        return;
    }
    for (const Finding& finding : findings) {
        out += fmt::format(
            "1. **{}** ({}, {:.1f}): {}. {}\n",
            finding.rule->finding,
            finding.severe() ? "severe" : "moderate",
            finding.score,
            value_with_unit(*finding.rule, finding.value),
            plain(finding.evidence) + "."
        );
    }
    out += "\nRoadmap, by the points that each step takes away:\n\n";
    for (const RoadmapStep& step : roadmap_of(subject.figures)) {
        out += fmt::format("1. **{}** ({:.0f} points). {}\n", step.remedy->title, step.points, step.remedy->text);
    }
    out += "\n";
}

void add_lengths(std::string& out, const SubjectReport& subject) {
    if (subject.lengths.empty()) {
        return;
    }
    out += fmt::format(
        "### {}\n\n| messages | open, ms | sent to open, KiB | interaction, ms | of the processor, ms | memory touched anew, KiB | peak above the rest, MiB |\n"
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        plain(subject.name)
    );
    for (const LengthRow& row : subject.lengths) {
        out += fmt::format(
            "| {} | {} | {} | {} | {} | {} | {} |\n",
            show_value(static_cast<double>(row.messages)),
            show_value(row.open_ms),
            show_value(static_cast<double>(row.open_bytes) / kKib),
            show_value(row.interaction_ms),
            show_value(row.cpu_ms),
            show_value(row.touched_kib),
            show_value(row.peak_mib)
        );
    }
    out += "\n";
}

}  // namespace

std::string render_rules_markdown() {
    std::string out = "| measured | unit | 0 points up to | 10 points from | scale | how |\n| --- | --- | ---: | ---: | --- | --- |\n";
    for (const Rule& rule : rules()) {
        out += fmt::format(
            "| {} | {} | {} | {} | {} | {} |\n",
            cell(rule.title),
            rule.unit,
            show_value(rule.good),
            show_value(rule.bad),
            rule.scale == Scale::linear ? "linear" : "logarithmic",
            cell(rule.how)
        );
    }
    return out;
}

std::string render_markdown(const Report& report) {
    std::string out = "# Resource review\n\n";
    const SubjectReport& reviewed = report.subjects.front();
    if (const auto overall = overall_score(reviewed.figures)) {
        out += fmt::format("**{}: {:.1f} of 10 ({}).** Higher is worse.\n\n", plain(reviewed.name), *overall, verdict(*overall));
    }
    out += fmt::format(
        "{}. Made by confab {} in {:.0f} s ({}), on {}.\n\n", report.date, report.version, report.seconds, report.amount, plain(report.machine)
    );
    for (const SubjectReport& subject : report.subjects) {
        out += fmt::format("- **{}**: {}.\n", plain(subject.name), plain(subject.description));
    }
    for (const std::string& note : report.notes) {
        out += "- " + plain(note) + "\n";
    }
    for (const SubjectReport& subject : report.subjects) {
        for (const std::string& note : subject.notes) {
            out += fmt::format("- {}: {}\n", plain(subject.name), plain(note));
        }
    }
    out += "\n";
    add_scores(out, report);
    for (int i = 0; i < kHeadings; ++i) {
        add_heading(out, report, static_cast<Heading>(i));
    }
    out += "## Findings and roadmap\n\n";
    for (const SubjectReport& subject : report.subjects) {
        add_findings(out, subject);
    }
    if (!reviewed.lengths.empty()) {
        out += "## The length of a conversation\n\n";
        for (const SubjectReport& subject : report.subjects) {
            add_lengths(out, subject);
        }
    }
    out += "## Rules\n\nEach measurement costs 0 points up to the first value, 10 from the second, and between them by the scale. A heading scores "
           "the mean of its measurements, at least half of its worst one; overall is the mean of the headings. What was not measured is not "
           "scored.\n\n";
    return out + render_rules_markdown();
}

}  // namespace confab::review
