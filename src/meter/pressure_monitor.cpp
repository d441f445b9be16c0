#include "meter/pressure_monitor.hpp"

#include <algorithm>

#include <malloc.h>
#include <spdlog/spdlog.h>

namespace confab::meter {

namespace {

void log_changes(unsigned changed, const Pressure& pressure) {
    for (const ActionRule& rule : kActionRules) {
        if ((changed >> static_cast<unsigned>(rule.action) & 1U) == 0) {
            continue;
        }
        const bool active = pressure.active(rule.action);
        spdlog::log(
            active ? spdlog::level::warn : spdlog::level::info,
            "{} action={} used_mib={} limit_mib={} bound={}",
            active ? "shedding_began" : "shedding_ended",
            rule.name,
            pressure.usage_bytes() >> 20,
            pressure.limit_bytes() >> 20,
            name_of(pressure.source())
        );
    }
}

}  // namespace

bool TrimRule::due(bool under_pressure, std::uint64_t leased_bytes, Time now) {
    peak_bytes_ = std::max(peak_bytes_, leased_bytes);
    const bool fell = leased_bytes <= peak_bytes_ / 2 && peak_bytes_ - leased_bytes > kFallBytesMin;
    if ((!under_pressure && !fell) || (trimmed_at_ && now - *trimmed_at_ < kTrimEvery)) {
        return false;
    }
    trimmed_at_ = now;
    peak_bytes_ = leased_bytes;
    return true;
}

PressureMonitor::PressureMonitor(
    MemoryMeter meter,
    Pressure& pressure,
    const ByteBudget& budget,
    std::function<void()> interrupt
)
    : meter_(std::move(meter)), pressure_(pressure), budget_(budget), interrupt_(std::move(interrupt)) {}

PressureMonitor::~PressureMonitor() {
    stop();
}

void PressureMonitor::start() {
    log_changes(pressure_.update(meter_.read()), pressure_);  // true before anybody asks
    thread_ = std::thread([this] { loop(); });
}

void PressureMonitor::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    stop_asked_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void PressureMonitor::loop() {
    std::unique_lock lock(mutex_);
    while (!stop_asked_.wait_for(lock, pause(), [this] { return stopping_; })) {
        lock.unlock();
        step();
        lock.lock();
    }
}

// What is leased is bounded whatever the monitor sees: far from the limit it need not look often.
std::chrono::milliseconds PressureMonitor::pause() const {
    const bool calm = pressure_.level() < kCalmUsageMax && budget_.bytes_leased() < kCalmLeasedBytesMax;
    return calm ? kCalmPollEvery : kPollEvery;
}

void PressureMonitor::step() {
    log_changes(pressure_.update(meter_.read()), pressure_);
    if (trim_.due(pressure_.active(Action::refuse_runs), budget_.bytes_leased(), std::chrono::steady_clock::now())) {
        ::malloc_trim(0);
        pressure_.count(Shed::heap_trimmed);
    }
    if (pressure_.active(Action::interrupt_runs)) {
        interrupt_();
    }
}

}  // namespace confab::meter
