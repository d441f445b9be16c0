#include "llm/concurrency_limit.hpp"

#include <algorithm>
#include <cmath>

namespace confab::llm {

std::size_t ConcurrencyLimit::at(Time now) const {
    if (limit_ >= static_cast<double>(kSlotsMax)) {
        return kSlotsMax;
    }
    const double seconds = std::max(0.0, std::chrono::duration<double>(now - lowered_ - kSlotsHold).count());
    const double grown = std::max(
        limit_ + seconds * kSlotsRaisedPerSecond, limit_ * std::pow(kSlotsGrowthPerSecond, std::min(seconds, 1'000.0))
    );
    return static_cast<std::size_t>(std::clamp(grown, 1.0, static_cast<double>(kSlotsMax)));
}

void ConcurrencyLimit::refused(Time sent, Time now, std::size_t in_use) {
    if (sent < lowered_) {
        return;
    }
    const auto busy = static_cast<double>(std::min(at(now), in_use));
    limit_ = std::max(1.0, std::floor(busy * kSlotsLowered));
    lowered_ = now;
}

}  // namespace confab::llm
