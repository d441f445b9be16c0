// Measured values, and what is made of them.
#pragma once

#include <algorithm>
#include <vector>

namespace confab::review {

// 0 without values.
inline double median(std::vector<double> values) {
    if (values.empty()) {
        return 0;
    }
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

// How far `now` is above `before`; 0 when it is not.
inline double above(std::uint64_t now, std::uint64_t before) {
    return now > before ? static_cast<double>(now - before) : 0;
}

// What is left of `value` after `noise`; 0 when nothing is.
inline double beyond(double value, double noise) {
    return std::max(0.0, value - noise);
}

inline constexpr double kKib = 1024;
inline constexpr double kMib = 1024 * 1024;

}  // namespace confab::review
