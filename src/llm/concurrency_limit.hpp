// ConcurrencyLimit: how many requests a model server seems to bear at once.
//
// Multiplicative decrease when the server refuses for load, additive increase with time, and in the long run by a tenth
// per second, so that one bad minute is forgotten after two. It begins wide open: a healthy server is never throttled.
// Without a clock of its own, and not safe across threads: see UpstreamSlots.
#pragma once

#include <chrono>
#include <cstddef>

namespace confab::llm {

inline constexpr std::size_t kSlotsMax = 65'536;               // wide open: more connections than a process has
inline constexpr double kSlotsLowered = 0.7;                   // what is left of the limit after a refusal
inline constexpr double kSlotsRaisedPerSecond = 1.0;           // slots, or
inline constexpr double kSlotsGrowthPerSecond = 1.1;           // this factor, whichever is more
inline constexpr std::chrono::milliseconds kSlotsHold{1'000};  // after a decrease, before the limit grows again

class ConcurrencyLimit {
public:
    using Time = std::chrono::steady_clock::time_point;

    // 1 .. kSlotsMax.
    std::size_t at(Time now) const;

    // A request was refused for load that was sent at `sent`, while `in_use` were under way, itself included. Many that
    // were sent together count once: those sent before the last decrease say nothing new.
    void refused(Time sent, Time now, std::size_t in_use);

private:
    double limit_ = static_cast<double>(kSlotsMax);
    Time lowered_ = Time::min();
};

}  // namespace confab::llm
