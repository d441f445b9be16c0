// PressureMonitor: a thread of its own that reads the memory's usage every 250 ms (every second at rest) and sets what is to be given up.
//
// A thread rather than a shard's timer, because it has to work exactly when the shards have too much to do, and because
// giving memory back to the kernel takes milliseconds that no shard should spend.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "meter/byte_budget.hpp"
#include "meter/memory_bounds.hpp"
#include "meter/pressure.hpp"

namespace confab::meter {

inline constexpr std::chrono::milliseconds kPollEvery{250};
inline constexpr std::chrono::milliseconds kCalmPollEvery{1'000};  // far from the limit, with hardly anything leased
inline constexpr double kCalmUsageMax = 0.5;                        // of the limit
inline constexpr std::uint64_t kCalmLeasedBytesMax = 1024ULL * 1024;

// When the heap is worth trimming: under pressure every 2 s, and otherwise once leased bytes have fallen by half and by
// more than 4 MiB since they were highest, which is when an allocator holds what nobody uses any more.
class TrimRule {
public:
    using Time = std::chrono::steady_clock::time_point;

    bool due(bool under_pressure, std::uint64_t leased_bytes, Time now);

private:
    static constexpr std::chrono::seconds kTrimEvery{2};
    static constexpr std::uint64_t kFallBytesMin = 4ULL * 1024 * 1024;

    std::uint64_t peak_bytes_ = 0;
    std::optional<Time> trimmed_at_;
};

class PressureMonitor {
public:
    // `interrupt` is called, on the monitor's thread, with each reading that asks for an answer to be interrupted; it
    // must be quick and counts what it does.
    PressureMonitor(MemoryMeter meter, Pressure& pressure, const ByteBudget& budget, std::function<void()> interrupt);
    PressureMonitor(const PressureMonitor&) = delete;
    PressureMonitor& operator=(const PressureMonitor&) = delete;
    ~PressureMonitor();

    void start();
    // Waits until the thread has ended; nothing is called afterwards.
    void stop();

private:
    void loop();
    void step();
    std::chrono::milliseconds pause() const;

    MemoryMeter meter_;
    Pressure& pressure_;
    const ByteBudget& budget_;
    const std::function<void()> interrupt_;
    TrimRule trim_;
    std::mutex mutex_;  // of stopping_
    std::condition_variable stop_asked_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace confab::meter
