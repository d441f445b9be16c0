// Pressure: how full the memory is, and what is being given up because of it.
//
// A monitor (pressure_monitor.hpp) reads the usage every 250 ms (every second at rest) and sets which actions are active: each begins at its
// threshold and ends 5 % of the limit below it, so that nothing flutters. Everybody else only reads: any thread,
// without a lock, at any time. What is done because of an action is done where it belongs and counted here.
//
// Never given up, whatever the pressure: committing what was accepted, stopping an answer, signing out, health.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "meter/counters.hpp"
#include "meter/memory_bounds.hpp"

namespace confab::meter {

// In the order in which they begin.
enum class Action : std::uint8_t {
    defer_background,    // titles, summaries, imports wait; exports and searches are refused
    refuse_uploads,      // uploads are refused, and sign-ins while another one is being checked
    refuse_over_share,   // work of users who hold more than their fair share is refused
    refuse_runs,         // no new answers; the heap is trimmed; idle connections are closed after 2 s
    refuse_connections,  // new connections get 503, unless they stop, sign out or ask for health; slow viewers go
    interrupt_runs,      // the heaviest user's largest answer is ended, with what came of it
};

struct ActionRule {
    Action action;
    double begins_at;       // of the limit, 0..1
    std::string_view name;  // for programs: metrics and logs
    std::string_view meaning;
};

inline constexpr std::array kActionRules{
    ActionRule{
        Action::defer_background,
        0.70,
        "defer_background",
        "Background work waits; exports and searches are refused."},
    ActionRule{Action::refuse_uploads, 0.75, "refuse_uploads", "Uploads and additional sign-ins are refused."},
    ActionRule{
        Action::refuse_over_share,
        0.80,
        "refuse_over_share",
        "People who hold more than their fair share are refused new work."},
    ActionRule{
        Action::refuse_runs,
        0.85,
        "refuse_runs",
        "No new answers; memory is given back; idle connections close after 2 s."},
    ActionRule{
        Action::refuse_connections,
        0.90,
        "refuse_connections",
        "New connections are refused, slow viewers are dropped."},
    ActionRule{
        Action::interrupt_runs,
        0.95,
        "interrupt_runs",
        "The heaviest user's largest answer is ended; what came of it is kept."},
};

inline constexpr std::size_t kActions = kActionRules.size();
inline constexpr double kHysteresis = 0.05;  // of the limit: an action ends so far below where it begins

// What was done, each counted.
enum class Shed : std::uint8_t {
    background_deferred,  // a title, a summary or an import had to wait or was dropped
    background_refused,   // an export or a search
    sign_in_refused,
    upload_refused,
    over_share_refused,
    run_refused,
    heap_trimmed,
    idle_closed,         // a connection between two requests
    connection_refused,  // a request on a connection that came too late
    viewer_dropped,      // a slow one
    run_interrupted,
    // Not pressure but quotas and the budget itself:
    run_over_quota,    // 429: the user has as many answers under way as one may
    bytes_over_quota,  // 429: the user holds as many bytes as one may
    budget_exhausted,  // 503: the byte budget was used up
};

inline constexpr std::size_t kSheds = 14;

// For programs, for instance "run_refused".
std::string_view name_of(Shed shed);

class Pressure {
public:
    Pressure() = default;
    Pressure(const Pressure&) = delete;
    Pressure& operator=(const Pressure&) = delete;

    // ---- for everybody ----

    bool active(Action action) const noexcept {
        return (active_.load(std::memory_order_relaxed) >> static_cast<unsigned>(action) & 1U) != 0;
    }

    // How often the action has begun.
    std::uint64_t begun(Action action) const noexcept { return begun_[static_cast<std::size_t>(action)].value(); }

    void count(Shed shed, std::uint64_t n = 1) noexcept { sheds_[static_cast<std::size_t>(shed)].add(n); }

    std::uint64_t counted(Shed shed) const noexcept { return sheds_[static_cast<std::size_t>(shed)].value(); }

    std::uint64_t usage_bytes() const noexcept { return usage_.load(std::memory_order_relaxed); }

    std::uint64_t limit_bytes() const noexcept { return limit_.load(std::memory_order_relaxed); }

    // Whose limit that is.
    BoundSource source() const noexcept { return source_.load(std::memory_order_relaxed); }

    // usage / limit; 0 before the first reading.
    double level() const noexcept;

    // ---- for the monitor ----

    // Sets the actions by a reading. Returns which of them began or ended just now, as bits (1 << action).
    unsigned update(const MemoryReading& reading) noexcept;

private:
    std::atomic<unsigned> active_{0};
    std::atomic<std::uint64_t> usage_{0};
    std::atomic<std::uint64_t> limit_{0};
    std::atomic<BoundSource> source_{BoundSource::machine};
    std::array<Counter, kActions> begun_;
    std::array<Counter, kSheds> sheds_;
};

// How long somebody who was refused is told to wait: `least` and up to twice as long, by chance, so that those who were
// refused together do not come back together. Whole seconds, at least 1.
std::chrono::seconds jittered(std::chrono::seconds least);

}  // namespace confab::meter
