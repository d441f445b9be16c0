// Counters: what was opened, reused and is alive, as plain atomics that any thread may bump and the metrics page reads.
// They are how the promise "opened once" is proved.
#pragma once

#include <atomic>
#include <cstdint>

namespace confab::meter {

class Counter {
public:
    void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }

    std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

class Gauge {
public:
    void add(std::int64_t n) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }

    void set(std::int64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }

    std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::int64_t> value_{0};
};

// Holds a gauge one higher for as long as it lives.
class LiveHandle {
public:
    explicit LiveHandle(Gauge& gauge) : gauge_(&gauge) { gauge.add(1); }

    LiveHandle(LiveHandle&& other) noexcept : gauge_(other.gauge_) { other.gauge_ = nullptr; }

    LiveHandle& operator=(LiveHandle&&) = delete;

    ~LiveHandle() {
        if (gauge_ != nullptr) {
            gauge_->add(-1);
        }
    }

private:
    Gauge* gauge_;
};

// One of these per process; layers get a reference to the part they fill.
struct StoreCounters {
    Counter connections_opened;
    Gauge connections_live;
    Counter statements_prepared;
    Counter statements_reused;
    Gauge statements_live;
    Counter commits;
    Counter operations;  // writer operations; operations / commits = group size
    Gauge writer_queue_depth;
    Gauge wal_bytes;
    Counter read_timeouts;
};

struct HttpCounters {
    Counter connections_opened;
    Gauge connections_live;
    Counter requests;
    Counter refused_requests;  // by the gate
    Counter responses_4xx;
    Counter responses_5xx;
    Counter bytes_received;
    Counter bytes_sent;
};

struct RunCounters {
    Counter started;
    Counter completed;
    Counter failed;
    Counter cancelled;
    Counter recovered;        // found in progress at start
    Counter viewers_dropped;  // too far behind
    Gauge live;
    Gauge viewers_live;
};

struct UpstreamCounters {
    Counter requests;
    Counter connections_opened;
    Counter connections_reused;  // requests that found a connection in the pool
    Gauge requests_live;
    Counter bytes_received;
};

struct Counters {
    StoreCounters store;
    HttpCounters http;
    RunCounters runs;
    UpstreamCounters upstream;
};

}  // namespace confab::meter
