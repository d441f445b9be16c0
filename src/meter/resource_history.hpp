// ResourceHistory: the last 15 minutes of the meters that are worth a plot, a sample every 5 s, in a ring of fixed size
// (kBytesMax). One thread adds, any thread reads.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "meter/meter_visitor.hpp"

namespace confab::meter {

// The meters that are kept, by name. Counters are kept as growth per second, gauges as they are; the values of a meter
// with labels are added up.
inline constexpr std::array<const char*, 36> kHistoryMeters = {
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
    "confab_allocations_total",
    "confab_allocated_bytes_total",
    "confab_budget_leased_bytes",
    "confab_memory_usage_bytes",
    "confab_shed_total",
    "confab_http_connections_live",
    "confab_http_connections_opened_total",
    "confab_http_connections_reused_total",
    "confab_http_requests_total",
    "confab_http_responses_4xx_total",
    "confab_http_responses_5xx_total",
    "confab_http_received_bytes_total",
    "confab_http_sent_bytes_total",
    "confab_runs_live",
    "confab_runs_started_total",
    "confab_runs_failed_total",
    "confab_run_viewers_live",
    "confab_run_viewers_dropped_total",
    "confab_upstream_connections_live",
    "confab_upstream_connections_opened_total",
    "confab_upstream_connections_reused_total",
    "confab_upstream_requests_live",
    "confab_upstream_slots_waiting",
    "confab_store_connections_live",
    "confab_store_connections_opened_total",
    "confab_store_statements_live",
    "confab_store_statements_prepared_total",
    "confab_store_statements_reused_total",
    "confab_store_commits_total",
    "confab_store_operations_total",
    "confab_store_writer_queue_depth",
    "confab_store_reader_queue_depth",
    "confab_store_wal_bytes",
};

class ResourceHistory {
public:
    static constexpr std::chrono::seconds kInterval{5};
    static constexpr std::size_t kSamplesMax = 180;
    static constexpr std::size_t kSeries = kHistoryMeters.size();
    static constexpr std::size_t kBytesMax = 40 * 1024;  // of the ring

    struct Sample {
        std::int64_t at = 0;  // Unix seconds
        std::array<float, kSeries> values{};
    };

    static_assert(sizeof(Sample) * kSamplesMax <= kBytesMax);

    // Collects the values of one moment from the meters that it visits.
    class Collector final : public MeterVisitor {
    public:
        void value(MeterKind kind, const char* name, const char* help, double value, MeterLabel label) override;
        void histogram(const char* name, const char* help, const Histogram& histogram, double scale) override;

    private:
        friend class ResourceHistory;
        std::array<double, kSeries> values_{};
        std::array<bool, kSeries> grows_{};
    };

    // The first call only notes where the counters stand. Its thread is always the same.
    void add(std::int64_t at, const Collector& now);

    // Samples that are newer than `after` (Unix seconds), the oldest first.
    std::vector<Sample> since(std::int64_t after) const;

private:
    std::optional<Collector> before_;
    std::int64_t before_at_ = 0;

    mutable std::mutex mutex_;  // of what follows
    std::array<Sample, kSamplesMax> ring_{};
    std::size_t count_ = 0;  // ever added
};

}  // namespace confab::meter
