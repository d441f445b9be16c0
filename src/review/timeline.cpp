#include "review/timeline.hpp"

namespace confab::review {

namespace {

constexpr std::chrono::milliseconds kSampleEvery{200};
constexpr std::size_t kSamplesMax = 20'000;  // more than an hour

}  // namespace

Timeline::Timeline(net::Executor executor, std::vector<pid_t> pids, FileWatch* watch)
    : pids_(std::move(pids)), watch_(watch), tasks_(executor, "timeline") {}

base::Result<ProcessFigures> Timeline::look() const {
    if (pids_.empty()) {
        return base::not_found("no process is known; name one with --pid, --process or --cgroup", std::string(kProcessUnknown));
    }
    return proc_.read_all(pids_);
}

void Timeline::start() {
    tasks_.spawn(watch_loop());
}

net::Task<void> Timeline::stop() {
    tasks_.cancel();
    co_await tasks_.join();
    take_sample();
    if (!phases_.empty()) {
        phases_.back().end = now();
    }
}

void Timeline::begin_phase(std::string name) {
    const double time = now();
    if (!phases_.empty()) {
        phases_.back().end = time;
    }
    phases_.push_back({time, time, std::move(name)});
}

void Timeline::reset_peak() const {
    for (const pid_t pid : pids_) {
        proc_.reset_peak(pid);
    }
}

double Timeline::now() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
}

void Timeline::take_sample() {
    if (watch_ != nullptr) {
        watch_->poll();
    }
    const auto figures = look();
    if (figures && samples_.size() < kSamplesMax) {
        samples_.push_back({now(), figures->rss_bytes, figures->descriptors, figures->cpu_seconds});
    }
}

net::Task<void> Timeline::watch_loop() {
    while (true) {
        take_sample();
        co_await net::sleep_for(kSampleEvery);
    }
}

}  // namespace confab::review
