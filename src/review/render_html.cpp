#include "review/render_html.hpp"

#include <fmt/format.h>

#include "review/html_style.hpp"
#include "review/samples.hpp"
#include "review/svg_plot.hpp"

namespace confab::review {

namespace {

const char* grade(double score) {
    return score < 1.05 ? "good" : score < kFinding ? "fair" : score < kSevere ? "poor" : "bad";
}

// Our own texts mark code with backticks.
std::string html_of(std::string_view text) {
    std::string safe = escape_html(text);
    bool inside = false;
    for (auto at = safe.find('`'); at != std::string::npos; at = safe.find('`', at)) {
        safe.replace(at, 1, inside ? "</code>" : "<code>");
        inside = !inside;
    }
    return safe;
}

std::string html_value(const Rule& rule, double value) {
    return escape_html(rule.unit == "%" ? show_value(value) + " %" : show_value(value) + " " + std::string(rule.unit));
}

class HtmlReport {
public:
    explicit HtmlReport(const Report& report) : report_(report) {}

    std::string render() {
        out_ = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>Resource review: ";
        out_ += escape_html(report_.subjects.front().name) + "</title>\n<style>" + kReportStyle + "</style>\n</head>\n<body>\n<main>\n";
        add_top();
        add_plots();
        add_findings();
        for (int i = 0; i < kHeadings; ++i) {
            add_heading(static_cast<Heading>(i));
        }
        add_rules();
        return out_ + "</main>\n</body>\n</html>\n";
    }

private:
    template <class... Args>
    void add(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    }

    void add_top() {
        add("<h1>Resource review</h1>\n<p class=\"soft\">{}. Made by confab {} in {:.0f} s ({}), on {}.</p>\n",
            escape_html(report_.date),
            escape_html(report_.version),
            report_.seconds,
            escape_html(report_.amount),
            escape_html(report_.machine));
        out_ += "<div class=\"cards\">\n";
        for (std::size_t i = 0; i < report_.subjects.size(); ++i) {
            add_card(report_.subjects[i], i);
        }
        out_ += "</div>\n<p class=\"soft small\">0 is best and 10 is worst. Every score follows from a measurement by the rules at the end.";
        for (const std::string& note : report_.notes) {
            out_ += " " + escape_html(note);
        }
        out_ += "</p>\n";
    }

    void add_card(const SubjectReport& subject, std::size_t index) {
        add("<section class=\"card\"><div class=\"name\"><span class=\"swatch f{}\"></span>{}</div>", index, escape_html(subject.name));
        if (const auto overall = overall_score(subject.figures)) {
            add("<div class=\"big c-{}\">{:.1f} <small>of 10, {}</small></div>", grade(*overall), *overall, verdict(*overall));
        } else {
            out_ += "<div class=\"big\">not scored</div>";
        }
        add("<p class=\"soft small\">{}</p><div class=\"bars\">", escape_html(subject.description));
        for (int i = 0; i < kHeadings; ++i) {
            const auto heading = static_cast<Heading>(i);
            const auto value = heading_score(subject.figures, heading);
            add("<span>{}</span><span class=\"bar\">", heading_title(heading));
            if (value) {
                add("<i class=\"b-{}\" style=\"width:{:.0f}%\"></i>", grade(*value), *value * 10);
            }
            add("</span><span class=\"num\">{}</span>", value ? show_score(value) : "–");
        }
        out_ += "</div>";
        for (const std::string& note : subject.notes) {
            add("<p class=\"soft small\">{}</p>", escape_html(note));
        }
        out_ += "</section>\n";
    }

    // ---- plots ----

    void add_figure(const Plot& plot) {
        const std::string svg = render_svg(plot);
        if (!svg.empty()) {
            add("<figure{}>{}</figure>\n", plot.wide ? " class=\"wide\"" : "", svg);
        }
    }

    template <class Value>
    void add_length_plot(const char* title, const char* unit, Value value) {
        Plot plot{.title = title, .x_label = "messages in the conversation", .y_label = unit, .log_x = true, .log_y = true, .dots = true};
        for (std::size_t i = 0; i < report_.subjects.size(); ++i) {
            PlotSeries& series = plot.series.emplace_back(PlotSeries{report_.subjects[i].name, static_cast<int>(i), {}});
            for (const LengthRow& row : report_.subjects[i].lengths) {
                series.points.emplace_back(static_cast<double>(row.messages), value(row));
            }
        }
        add_figure(plot);
    }

    void add_time_plot(std::size_t index, const char* what, const char* unit, double (*value)(const TimelineSample&)) {
        const SubjectReport& subject = report_.subjects[index];
        Plot plot{.title = subject.name + ": " + what, .x_label = "seconds", .y_label = unit, .wide = true};
        PlotSeries& series = plot.series.emplace_back(PlotSeries{subject.name, static_cast<int>(index), {}});
        for (const TimelineSample& sample : subject.samples) {
            series.points.emplace_back(sample.seconds, value(sample));
        }
        for (const TimelinePhase& phase : subject.phases) {
            plot.bands.push_back({phase.begin, phase.end, phase.name});
        }
        add_figure(plot);
    }

    void add_plots() {
        if (!report_.subjects.front().lengths.empty()) {
            out_ += "<h2>Against the length of a conversation</h2>\n<div class=\"plots\">\n";
            add_length_plot("Time to open a conversation", "ms", [](const LengthRow& row) { return row.open_ms; });
            add_length_plot("Processor time per interaction", "ms", [](const LengthRow& row) { return row.cpu_ms; });
            add_length_plot("Sent to open a conversation", "KiB", [](const LengthRow& row) {
                return static_cast<double>(row.open_bytes) / kKib;
            });
            add_length_plot("Memory touched anew per interaction", "KiB", [](const LengthRow& row) { return row.touched_kib; });
            out_ += "</div>\n";
        }
        out_ += "<h2>While the workload ran</h2>\n<div class=\"plots\">\n";
        for (std::size_t i = 0; i < report_.subjects.size(); ++i) {
            add_time_plot(i, "resident memory", "MiB", [](const TimelineSample& sample) {
                return static_cast<double>(sample.rss_bytes) / kMib;
            });
        }
        for (std::size_t i = 0; i < report_.subjects.size(); ++i) {
            add_time_plot(i, "open descriptors", "descriptors", [](const TimelineSample& sample) {
                return static_cast<double>(sample.descriptors);
            });
        }
        out_ += "</div>\n";
    }

    // ---- findings ----

    void add_findings() {
        out_ += "<h2>Findings and roadmap</h2>\n<div class=\"cards\">\n";
        for (std::size_t i = 0; i < report_.subjects.size(); ++i) {
            const SubjectReport& subject = report_.subjects[i];
            add("<section class=\"card\"><div class=\"name\"><span class=\"swatch f{}\"></span>{}</div>\n", i, escape_html(subject.name));
            const auto findings = findings_of(subject.figures);
            if (findings.empty()) {
                out_ += "<p>No findings: nothing that was measured costs 3 points or more.</p></section>\n";
                continue;
            }
            out_ += "<ol>\n";
            for (const Finding& finding : findings) {
                add("<li><b>{}</b> <span class=\"c-{}\">{:.1f}</span><br><span class=\"soft small\">{}</span></li>\n",
                    html_of(finding.rule->finding),
                    grade(finding.score),
                    finding.score,
                    escape_html(finding.evidence));
            }
            out_ += "</ol>\n<h3>What to do, in this order</h3>\n<ol>\n";
            for (const RoadmapStep& step : roadmap_of(subject.figures)) {
                add("<li><b>{}</b> <span class=\"soft\">{:.0f} points</span><br>{}</li>\n", html_of(step.remedy->title), step.points, html_of(step.remedy->text));
            }
            out_ += "</ol></section>\n";
        }
        out_ += "</div>\n";
    }

    // ---- measurements ----

    void add_value(const SubjectReport& subject, const Rule& rule) {
        const auto figure = subject.figures.find(rule.id);
        if (figure == subject.figures.end()) {
            out_ += "<td>–</td>";
            return;
        }
        out_ += "<td>";
        if (figure->second.value) {
            const double points = score(rule, *figure->second.value);
            add("{} <b class=\"c-{}\">{:.1f}</b><br>", html_value(rule, *figure->second.value), grade(points), points);
        }
        add("<span class=\"soft small\">{}</span></td>", escape_html(figure->second.evidence));
    }

    void add_heading(Heading heading) {
        add("<h2>{}</h2>\n<div class=\"scroll\"><table>\n<tr><th>Aspect</th><th>Measured</th>", heading_title(heading));
        for (const SubjectReport& subject : report_.subjects) {
            add("<th>{}</th>", escape_html(subject.name));
        }
        out_ += "</tr>\n";
        for (const Rule& rule : rules()) {
            if (rule.heading != heading) {
                continue;
            }
            add("<tr><td>{}</td><td>{}</td>", html_of(rule.aspect), html_of(rule.title));
            for (const SubjectReport& subject : report_.subjects) {
                add_value(subject, rule);
            }
            out_ += "</tr>\n";
        }
        out_ += "</table></div>\n";
    }

    void add_rules() {
        out_ += "<h2>Rules</h2>\n<p>Each measurement costs 0 points up to the first value, 10 from the second, and between them by the scale. A "
                "heading scores the mean of its measurements, at least half of its worst one; overall is the mean of the headings. What was not "
                "measured is not scored.</p>\n<details><summary>All measurements, how they are made, and their values</summary>\n"
                "<div class=\"scroll\"><table>\n<tr><th>Measured</th><th>How</th><th>0 up to</th><th>10 from</th><th>Scale</th></tr>\n";
        for (const Rule& rule : rules()) {
            add("<tr><td>{}</td><td class=\"small\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td>{}</td></tr>\n",
                html_of(rule.title),
                html_of(rule.how),
                show_value(rule.good),
                html_value(rule, rule.bad),
                rule.scale == Scale::linear ? "linear" : "logarithmic");
        }
        out_ += "</table></div></details>\n";
    }

    const Report& report_;
    std::string out_;
};

}  // namespace

std::string render_html(const Report& report) {
    return HtmlReport(report).render();
}

}  // namespace confab::review
