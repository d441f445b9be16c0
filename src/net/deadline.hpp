// A deadline is a value: the moment by which the whole of something must be done. It is passed down, never restarted.
#pragma once

#include <algorithm>
#include <chrono>

namespace confab::net {

class Deadline {
public:
    using Clock = std::chrono::steady_clock;

    static Deadline never() { return Deadline(Clock::time_point::max()); }

    static Deadline after(Clock::duration duration) { return Deadline(Clock::now() + duration); }

    bool passed() const { return Clock::now() >= at_; }

    Clock::time_point at() const { return at_; }

    Clock::duration left() const { return std::max(Clock::duration::zero(), at_ - Clock::now()); }

    Deadline sooner(Deadline other) const { return Deadline(std::min(at_, other.at_)); }

    friend auto operator<=>(const Deadline&, const Deadline&) = default;

private:
    explicit Deadline(Clock::time_point at) : at_(at) {}

    Clock::time_point at_;
};

}  // namespace confab::net
