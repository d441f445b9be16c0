// Timeline: looks at a server under review a few times a second while the workload runs, for the plots, and notes which
// phase of the workload was when. It also keeps the file watch from overflowing.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "net/task_group.hpp"
#include "review/file_watch.hpp"
#include "review/process_figures.hpp"

namespace confab::review {

struct TimelineSample {
    double seconds = 0;  // since the beginning
    std::uint64_t rss_bytes = 0;
    std::uint64_t descriptors = 0;
    double cpu_seconds = 0;
};

struct TimelinePhase {
    double begin = 0;  // seconds
    double end = 0;
    std::string name;
};

inline constexpr std::string_view kProcessUnknown = "process_unknown";

class Timeline {
public:
    // `watch` may be null. `pids` empty: there is nothing to look at, only phases are noted.
    Timeline(net::Executor executor, std::vector<pid_t> pids, FileWatch* watch);

    void start();
    // Looks a last time.
    net::Task<void> stop();

    // Ends the phase before.
    void begin_phase(std::string name);

    // Of now. `not_found` when the server has ended; its code is kProcessUnknown when there never was one to look at.
    base::Result<ProcessFigures> look() const;

    void reset_peak() const;

    const std::vector<TimelineSample>& samples() const { return samples_; }

    const std::vector<TimelinePhase>& phases() const { return phases_; }

private:
    net::Task<void> watch_loop();
    void take_sample();
    double now() const;

    ProcFolder proc_;
    std::vector<pid_t> pids_;
    FileWatch* watch_;
    net::TaskGroup tasks_;
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    std::vector<TimelineSample> samples_;
    std::vector<TimelinePhase> phases_;
};

}  // namespace confab::review
