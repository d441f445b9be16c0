// Wall-clock and monotonic time. Stored times are Unix seconds; deadlines use the steady clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace confab::base {

using SteadyClock = std::chrono::steady_clock;
using UnixSeconds = std::int64_t;

inline UnixSeconds unix_now() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

inline std::int64_t unix_now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace confab::base
