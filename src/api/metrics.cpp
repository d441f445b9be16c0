#include "api/metrics.hpp"

#include <functional>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "llm/upstream_slots.hpp"

namespace confab::api {

namespace {

class Families {
public:
    void counter(const char* name, const char* help, const meter::Counter& counter) {
        add(name, help, prometheus::MetricType::Counter).counter.value = static_cast<double>(counter.value());
    }

    void gauge(const char* name, const char* help, double value) {
        add(name, help, prometheus::MetricType::Gauge).gauge.value = value;
    }

    void gauge(const char* name, const char* help, const meter::Gauge& value) {
        gauge(name, help, static_cast<double>(value.value()));
    }

    // One family with a metric for each model server.
    void of_upstreams(
        const char* name,
        const char* help,
        prometheus::MetricType type,
        const llm::Catalog& catalog,
        const std::function<double(const llm::UpstreamSlots&)>& value
    ) {
        prometheus::MetricFamily family;
        family.name = name;
        family.help = help;
        family.type = type;
        for (const llm::UpstreamState& state : catalog.upstreams) {
            prometheus::ClientMetric metric;
            metric.label.push_back({"upstream", state.upstream->name});
            (type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) =
                value(*state.upstream->slots);
            family.metric.push_back(std::move(metric));
        }
        families_.push_back(std::move(family));
    }

    std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

private:
    prometheus::ClientMetric& add(const char* name, const char* help, prometheus::MetricType type) {
        prometheus::MetricFamily family;
        family.name = name;
        family.help = help;
        family.type = type;
        family.metric.emplace_back();
        families_.push_back(std::move(family));
        return families_.back().metric.front();
    }

    std::vector<prometheus::MetricFamily> families_;
};

void add_store(Families& families, const meter::StoreCounters& store) {
    families.counter(
        "confab_store_connections_opened_total",
        "Database connections opened since the start.",
        store.connections_opened
    );
    families.gauge("confab_store_connections_live", "Database connections open now.", store.connections_live);
    families.counter("confab_store_statements_prepared_total", "SQL statements prepared.", store.statements_prepared);
    families.counter(
        "confab_store_statements_reused_total", "Uses of a statement that was prepared before.", store.statements_reused
    );
    families.gauge("confab_store_statements_live", "Prepared statements held.", store.statements_live);
    families.counter("confab_store_commits_total", "Transactions committed.", store.commits);
    families.counter(
        "confab_store_operations_total",
        "Write operations; divided by commits, the size of a group commit.",
        store.operations
    );
    families.gauge("confab_store_writer_queue_depth", "Write operations waiting.", store.writer_queue_depth);
    families.gauge("confab_store_wal_bytes", "Size of the write-ahead log.", store.wal_bytes);
    families.counter("confab_store_read_timeouts_total", "Reads broken off after 2 s.", store.read_timeouts);
}

void add_http(Families& families, const meter::HttpCounters& http) {
    families.counter("confab_http_connections_opened_total", "Client connections accepted.", http.connections_opened);
    families.gauge("confab_http_connections_live", "Client connections open now.", http.connections_live);
    families.counter("confab_http_requests_total", "Requests received.", http.requests);
    families.counter("confab_http_requests_refused_total", "Requests that the gate refused.", http.refused_requests);
    families.counter("confab_http_responses_4xx_total", "Answers with a status from 400 to 499.", http.responses_4xx);
    families.counter("confab_http_responses_5xx_total", "Answers with a status from 500 to 599.", http.responses_5xx);
    families.counter("confab_http_received_bytes_total", "Bytes received from clients.", http.bytes_received);
    families.counter("confab_http_sent_bytes_total", "Bytes sent to clients.", http.bytes_sent);
}

void add_runs(Families& families, const meter::RunCounters& runs) {
    families.counter("confab_runs_started_total", "Answers begun.", runs.started);
    families.counter("confab_runs_completed_total", "Answers that ended regularly, cut off or not.", runs.completed);
    families.counter("confab_runs_failed_total", "Answers that failed.", runs.failed);
    families.counter("confab_runs_cancelled_total", "Answers that somebody stopped.", runs.cancelled);
    families.counter("confab_runs_recovered_total", "Answers found unfinished at the start.", runs.recovered);
    families.counter("confab_run_viewers_dropped_total", "Viewers dropped for being too slow.", runs.viewers_dropped);
    families.gauge("confab_runs_live", "Answers being made now.", runs.live);
    families.gauge("confab_run_viewers_live", "Connections that watch an answer now.", runs.viewers_live);
}

void add_upstream(Families& families, const meter::UpstreamCounters& upstream) {
    families.counter("confab_upstream_requests_total", "Requests sent to model servers.", upstream.requests);
    families.counter(
        "confab_upstream_connections_opened_total", "Connections opened to model servers.", upstream.connections_opened
    );
    families.counter(
        "confab_upstream_connections_reused_total",
        "Requests that found a connection in the pool.",
        upstream.connections_reused
    );
    families.gauge("confab_upstream_requests_live", "Requests to model servers under way.", upstream.requests_live);
    families.counter(
        "confab_upstream_received_bytes_total", "Bytes received from model servers.", upstream.bytes_received
    );
}

void add_slots(Families& families, const llm::Catalog& catalog) {
    using llm::UpstreamSlots;
    constexpr auto kGauge = prometheus::MetricType::Gauge;
    constexpr auto kCounter = prometheus::MetricType::Counter;
    const auto of = [&](const char* name, const char* help, prometheus::MetricType type, auto value) {
        families.of_upstreams(name, help, type, catalog, [value](const UpstreamSlots& slots) {
            return static_cast<double>(value(slots));
        });
    };
    of("confab_upstream_slots_limit", "Requests that a model server seems to bear at once.", kGauge, [](auto& slots) {
        return slots.counts().limit;
    });
    of("confab_upstream_slots_in_use", "Requests that hold a slot now.", kGauge, [](auto& slots) {
        return slots.counts().in_use;
    });
    of("confab_upstream_slots_waiting", "Requests that wait for a slot now.", kGauge, [](auto& slots) {
        return slots.counts().waiting;
    });
    of("confab_upstream_refusals_total", "Requests that a model server refused for load.", kCounter, [](auto& slots) {
        return slots.refusals.value();
    });
    of("confab_upstream_retries_total", "Requests that were sent again.", kCounter, [](auto& slots) {
        return slots.retries.value();
    });
    of("confab_upstream_busy_total", "Requests turned away without a slot.", kCounter, [](auto& slots) {
        return slots.busy.value();
    });
}

}  // namespace

std::string render_metrics(
    const meter::Counters& counters,
    const meter::ByteBudget& budget,
    const llm::Catalog& catalog,
    const meter::TitleCounters& titles
) {
    Families families;
    add_store(families, counters.store);
    add_http(families, counters.http);
    add_runs(families, counters.runs);
    add_upstream(families, counters.upstream);
    add_slots(families, catalog);
    families.counter("confab_titles_made_total", "Titles that a model found.", titles.made);
    families.counter("confab_titles_failed_total", "Titles that a model was asked for in vain.", titles.failed);
    families.counter("confab_titles_dropped_total", "Titles given up for other work.", titles.dropped);
    families.gauge(
        "confab_budget_limit_bytes", "Bytes that buffers may hold at once.", static_cast<double>(budget.bytes_max())
    );
    families.gauge(
        "confab_budget_leased_bytes", "Bytes that buffers hold now.", static_cast<double>(budget.bytes_leased())
    );
    return families.text();
}

}  // namespace confab::api
