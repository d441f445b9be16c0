#include "api/metrics.hpp"

#include <limits>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "llm/upstream_slots.hpp"

namespace confab::api {

namespace {

using meter::Histogram;
using meter::MeterKind;
using meter::MeterLabel;
using meter::MeterVisitor;

class PrometheusText final : public MeterVisitor {
public:
    void value(MeterKind kind, const char* name, const char* help, double value, MeterLabel label) override {
        const bool grows = kind == MeterKind::counter;
        auto& metric = add(name, help, grows ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge);
        if (!label.name.empty()) {
            metric.label.push_back({std::string(label.name), std::string(label.value)});
        }
        (grows ? metric.counter.value : metric.gauge.value) = value;
    }

    void histogram(const char* name, const char* help, const Histogram& histogram, double scale) override {
        auto& shown = add(name, help, prometheus::MetricType::Histogram).histogram;
        const auto bounds = histogram.bounds();
        for (std::size_t i = 0; i <= bounds.size(); ++i) {
            const bool last = i == bounds.size();
            shown.sample_count += histogram.count(i);
            prometheus::ClientMetric::Bucket bucket;
            bucket.cumulative_count = shown.sample_count;
            bucket.upper_bound =
                last ? std::numeric_limits<double>::infinity() : static_cast<double>(bounds[i]) * scale;
            shown.bucket.push_back(bucket);
        }
        shown.sample_sum = static_cast<double>(histogram.sum()) * scale;
    }

    std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

private:
    prometheus::ClientMetric& add(const char* name, const char* help, prometheus::MetricType type) {
        if (families_.empty() || families_.back().name != name) {
            prometheus::MetricFamily family;
            family.name = name;
            family.help = help;
            family.type = type;
            families_.push_back(std::move(family));
        }
        return families_.back().metric.emplace_back();
    }

    std::vector<prometheus::MetricFamily> families_;
};

class JsonMembers final : public MeterVisitor {
public:
    explicit JsonMembers(base::JsonWriter& out) : out_(out) {}

    void value(
        MeterKind /*kind*/,
        const char* name,
        const char* /*help*/,
        double value,
        MeterLabel label
    ) override {
        if (label.name.empty()) {
            close();
            out_.member(name, value);
            return;
        }
        if (open_ != name) {
            close();
            open_ = name;
            out_.key(name);
            out_.begin_object();
        }
        out_.member(label.value, value);
    }

    void histogram(const char* name, const char* /*help*/, const Histogram& histogram, double scale) override {
        close();
        out_.key(name);
        out_.begin_object();
        out_.key("bounds");
        out_.begin_array();
        for (const std::uint64_t bound : histogram.bounds()) {
            out_.value(static_cast<double>(bound) * scale);
        }
        out_.end_array();
        out_.key("counts");
        out_.begin_array();
        for (std::size_t i = 0; i <= histogram.bounds().size(); ++i) {
            out_.value(histogram.count(i));
        }
        out_.end_array();
        out_.member("sum", static_cast<double>(histogram.sum()) * scale);
        out_.end_object();
    }

    // Of the labelled meter that is being written, if there is one.
    void close() {
        if (!open_.empty()) {
            out_.end_object();
            open_ = {};
        }
    }

private:
    base::JsonWriter& out_;
    std::string_view open_;
};

void visit_slots(MeterVisitor& visitor, const llm::Catalog& catalog) {
    using llm::UpstreamSlots;
    const auto of = [&](MeterKind kind, const char* name, const char* help, auto value) {
        for (const llm::UpstreamState& state : catalog.upstreams) {
            const double now = static_cast<double>(value(*state.upstream->slots));
            visitor.value(kind, name, help, now, {"upstream", state.upstream->name});
        }
    };
    constexpr auto kGauge = MeterKind::gauge;
    constexpr auto kCounter = MeterKind::counter;
    of(kGauge, "confab_upstream_slots_limit", "Requests that a model server seems to bear at once.", [](auto& slots) {
        return slots.counts().limit;
    });
    of(kGauge, "confab_upstream_slots_in_use", "Requests that hold a slot now.", [](auto& slots) {
        return slots.counts().in_use;
    });
    of(kGauge, "confab_upstream_slots_waiting", "Requests that wait for a slot now.", [](auto& slots) {
        return slots.counts().waiting;
    });
    of(kCounter, "confab_upstream_refusals_total", "Requests that a model server refused for load.", [](auto& slots) {
        return slots.refusals.value();
    });
    of(kCounter, "confab_upstream_retries_total", "Requests that were sent again.", [](auto& slots) {
        return slots.retries.value();
    });
    of(kCounter, "confab_upstream_busy_total", "Requests turned away without a slot.", [](auto& slots) {
        return slots.busy.value();
    });
}

}  // namespace

void visit_meters(const MeterSources& sources, MeterVisitor& visitor) {
    meter::visit_process(visitor, sources.started_at);
    meter::visit_counters(visitor, sources.counters);
    visit_slots(visitor, *sources.upstreams.snapshot());
    meter::visit_queues(visitor, sources.queues());
    visitor.counter("confab_titles_made_total", "Titles that a model found.", sources.titles.made);
    visitor.counter("confab_titles_failed_total", "Titles that a model was asked for in vain.", sources.titles.failed);
    visitor.counter("confab_titles_dropped_total", "Titles given up for other work.", sources.titles.dropped);
    visitor.counter("confab_trace_spans_exported_total", "Spans that the collector has taken.", sources.tracer.exported);
    visitor.counter("confab_trace_spans_dropped_total", "Spans lost: collector slow or gone.", sources.tracer.dropped);
    const double waiting = static_cast<double>(sources.tracer.waiting());
    visitor.gauge("confab_trace_queue_depth", "Spans waiting to be sent.", waiting);
    meter::visit_pressure(visitor, sources.pressure);
    meter::visit_budget(visitor, sources.budget);
}

std::string render_metrics(const MeterSources& sources) {
    PrometheusText text;
    visit_meters(sources, text);
    return text.text();
}

void render_meters(base::JsonWriter& out, const MeterSources& sources) {
    out.begin_object();
    JsonMembers members(out);
    visit_meters(sources, members);
    members.close();
    out.end_object();
}

}  // namespace confab::api
