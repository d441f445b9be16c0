#include "review/render_json.hpp"

#include <cmath>

#include "base/json.hpp"

namespace confab::review {

namespace {

using base::JsonWriter;

void number_or_null(JsonWriter& out, std::string_view name, std::optional<double> value) {
    out.key(name);
    if (value && std::isfinite(*value)) {
        out.value(*value);
    } else {
        out.value(nullptr);
    }
}

void write_measurements(JsonWriter& out, const Figures& figures) {
    out.key("measurements");
    out.begin_array();
    for (const Rule& rule : rules()) {
        const auto figure = figures.find(rule.id);
        if (figure == figures.end()) {
            continue;
        }
        const auto value = figure->second.value;
        out.begin_object();
        out.member("id", rule.id);
        out.member("heading", heading_title(rule.heading));
        out.member("aspect", rule.aspect);
        out.member("title", rule.title);
        out.member("unit", rule.unit);
        number_or_null(out, "value", value);
        number_or_null(out, "score", value ? std::optional(score(rule, *value)) : std::nullopt);
        out.member("evidence", figure->second.evidence);
        out.end_object();
    }
    out.end_array();
}

void write_headings(JsonWriter& out, const Figures& figures) {
    out.key("headings");
    out.begin_array();
    for (int i = 0; i < kHeadings; ++i) {
        const auto heading = static_cast<Heading>(i);
        out.begin_object();
        out.member("title", heading_title(heading));
        number_or_null(out, "score", heading_score(figures, heading));
        out.end_object();
    }
    out.end_array();
}

void write_findings(JsonWriter& out, const Figures& figures) {
    out.key("findings");
    out.begin_array();
    for (const Finding& finding : findings_of(figures)) {
        out.begin_object();
        out.member("id", finding.rule->id);
        out.member("finding", finding.rule->finding);
        out.member("severity", finding.severe() ? "severe" : "moderate");
        out.member("score", finding.score);
        out.member("evidence", finding.evidence);
        out.member("remedy", finding.rule->remedy);
        out.end_object();
    }
    out.end_array();
    out.key("roadmap");
    out.begin_array();
    for (const RoadmapStep& step : roadmap_of(figures)) {
        out.begin_object();
        out.member("remedy", step.remedy->id);
        out.member("title", step.remedy->title);
        out.member("text", step.remedy->text);
        out.member("points", step.points);
        out.end_object();
    }
    out.end_array();
}

void write_lengths(JsonWriter& out, const std::vector<LengthRow>& lengths) {
    out.key("lengths");
    out.begin_array();
    for (const LengthRow& row : lengths) {
        out.begin_object();
        out.member("messages", row.messages);
        out.member("open_ms", row.open_ms);
        out.member("open_bytes", row.open_bytes);
        out.member("interaction_ms", row.interaction_ms);
        out.member("cpu_ms", row.cpu_ms);
        out.member("touched_kib", row.touched_kib);
        out.member("peak_mib", row.peak_mib);
        out.end_object();
    }
    out.end_array();
}

void write_timeline(JsonWriter& out, const SubjectReport& subject) {
    out.key("timeline");
    out.begin_object();
    out.key("phases");
    out.begin_array();
    for (const TimelinePhase& phase : subject.phases) {
        out.begin_object();
        out.member("name", phase.name);
        out.member("begin_s", phase.begin);
        out.member("end_s", phase.end);
        out.end_object();
    }
    out.end_array();
    out.key("samples");
    out.begin_array();
    for (const TimelineSample& sample : subject.samples) {
        out.begin_object();
        out.member("s", sample.seconds);
        out.member("rss_bytes", sample.rss_bytes);
        out.member("descriptors", sample.descriptors);
        out.member("cpu_s", sample.cpu_seconds);
        out.end_object();
    }
    out.end_array();
    out.end_object();
}

void write_subject(JsonWriter& out, const SubjectReport& subject) {
    out.begin_object();
    out.member("name", subject.name);
    out.member("description", subject.description);
    number_or_null(out, "score", overall_score(subject.figures));
    out.member("idle_rss_bytes", subject.idle.rss_bytes);
    out.member("idle_descriptors", subject.idle.descriptors);
    write_headings(out, subject.figures);
    write_measurements(out, subject.figures);
    write_findings(out, subject.figures);
    write_lengths(out, subject.lengths);
    write_timeline(out, subject);
    out.key("told");
    out.begin_object();
    for (const auto& [name, value] : subject.told) {
        number_or_null(out, name, value);
    }
    out.end_object();
    out.key("notes");
    out.begin_array();
    for (const std::string& note : subject.notes) {
        out.value(note);
    }
    out.end_array();
    out.end_object();
}

void write_rules(JsonWriter& out) {
    out.key("rules");
    out.begin_array();
    for (const Rule& rule : rules()) {
        out.begin_object();
        out.member("id", rule.id);
        out.member("unit", rule.unit);
        out.member("good", rule.good);
        out.member("bad", rule.bad);
        out.member("scale", rule.scale == Scale::linear ? "linear" : "logarithmic");
        out.member("how", rule.how);
        out.end_object();
    }
    out.end_array();
}

}  // namespace

std::string render_json(const Report& report) {
    std::string text;
    JsonWriter out(text);
    out.begin_object();
    out.member("object", "review");
    out.member("version", report.version);
    out.member("date", report.date);
    out.member("machine", report.machine);
    out.member("amount", report.amount);
    out.member("seconds", report.seconds);
    out.key("notes");
    out.begin_array();
    for (const std::string& note : report.notes) {
        out.value(note);
    }
    out.end_array();
    out.key("subjects");
    out.begin_array();
    for (const SubjectReport& subject : report.subjects) {
        write_subject(out, subject);
    }
    out.end_array();
    write_rules(out);
    out.end_object();
    return text + "\n";
}

}  // namespace confab::review
