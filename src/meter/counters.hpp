// Counters: what was opened, reused and is alive, as plain atomics that any thread may bump and the metrics page reads.
// They are how the promise "opened once" is proved.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>

namespace confab::meter {

class Counter {
public:
    void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }

    std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

// What there is now, and the most there ever was.
class Gauge {
public:
    void add(std::int64_t n) noexcept {
        const std::int64_t now = value_.fetch_add(n, std::memory_order_relaxed) + n;
        if (n > 0) {
            raise_peak(now);
        }
    }

    void set(std::int64_t n) noexcept {
        value_.store(n, std::memory_order_relaxed);
        raise_peak(n);
    }

    std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

    std::int64_t peak() const noexcept { return peak_.load(std::memory_order_relaxed); }

private:
    void raise_peak(std::int64_t now) noexcept {
        std::int64_t most = peak_.load(std::memory_order_relaxed);
        while (now > most && !peak_.compare_exchange_weak(most, now, std::memory_order_relaxed)) {
        }
    }

    std::atomic<std::int64_t> value_{0};
    std::atomic<std::int64_t> peak_{0};
};

// How often values fell into fixed classes. A class takes what is at most its bound, in the unit of the values; what is
// above the last bound has a class of its own.
class Histogram {
public:
    static constexpr std::size_t kBoundsMax = 12;

    Histogram(std::initializer_list<std::uint64_t> bounds) : bounds_count_(std::min(bounds.size(), kBoundsMax)) {
        std::copy_n(bounds.begin(), bounds_count_, bounds_.begin());
    }

    void observe(std::uint64_t value) noexcept {
        std::size_t place = 0;
        while (place < bounds_count_ && value > bounds_[place]) {
            ++place;
        }
        counts_[place].fetch_add(1, std::memory_order_relaxed);
        sum_.fetch_add(value, std::memory_order_relaxed);
    }

    std::span<const std::uint64_t> bounds() const noexcept { return {bounds_.data(), bounds_count_}; }

    // Of one class; `place` is at most bounds().size().
    std::uint64_t count(std::size_t place) const noexcept { return counts_[place].load(std::memory_order_relaxed); }

    std::uint64_t sum() const noexcept { return sum_.load(std::memory_order_relaxed); }

private:
    std::array<std::uint64_t, kBoundsMax> bounds_{};
    std::size_t bounds_count_;
    std::array<std::atomic<std::uint64_t>, kBoundsMax + 1> counts_{};
    std::atomic<std::uint64_t> sum_{0};
};

// Holds a gauge one higher for as long as it lives.
class LiveHandle {
public:
    explicit LiveHandle(Gauge& gauge) : gauge_(&gauge) { gauge.add(1); }

    LiveHandle(LiveHandle&& other) noexcept : gauge_(std::exchange(other.gauge_, nullptr)) {}

    LiveHandle& operator=(LiveHandle&&) = delete;

    ~LiveHandle() { release(); }

    void release() {
        if (gauge_ != nullptr) {
            std::exchange(gauge_, nullptr)->add(-1);
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
    Counter reads;  // calls that a reader thread served, each in a snapshot of its own
    Gauge reader_queue_depth;
    Gauge wal_bytes;
    Counter checkpoints;
    Counter read_timeouts;
    Histogram group_operations{1, 2, 3, 5, 10, 20, 50, 100, 200};                                  // of a commit
    Histogram commit_us{200, 500, 1'000, 2'000, 5'000, 10'000, 20'000, 50'000, 200'000, 1'000'000};  // of a group
    Histogram page_rows{0, 1, 5, 10, 20, 50, 100};                                                 // of items
    Histogram page_bytes{1'024, 4'096, 16'384, 65'536, 131'072, 262'144};                          // of their bodies
};

struct HttpCounters {
    Counter connections_opened;
    Counter connections_reused;  // requests on a connection that had served one before
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
    Histogram prompt_bytes{1'024, 4'096, 16'384, 65'536, 262'144, 1'048'576, 4'194'304};  // sent to a model server
    Histogram answer_bytes{256, 1'024, 4'096, 16'384, 65'536, 262'144, 1'048'576};        // of the event log
    Histogram first_token_us{100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000};
    Histogram duration_us{500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 60'000'000, 300'000'000};
};

struct UpstreamCounters {
    Counter requests;
    Counter connections_opened;
    Counter connections_reused;  // requests that found a connection in the pool
    Gauge connections_live;      // looked at every tick
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
