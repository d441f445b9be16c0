#include "meter/resource_history.hpp"

#include <algorithm>
#include <string_view>

namespace confab::meter {

void ResourceHistory::Collector::value(
    MeterKind kind,
    const char* name,
    const char* /*help*/,
    double value,
    MeterLabel /*label*/
) {
    const auto entry = std::ranges::find(kHistoryMeters, std::string_view(name));
    if (entry != kHistoryMeters.end()) {
        const auto place = static_cast<std::size_t>(entry - kHistoryMeters.begin());
        values_[place] += value;
        grows_[place] = kind == MeterKind::counter;
    }
}

void ResourceHistory::Collector::histogram(
    const char* /*name*/,
    const char* /*help*/,
    const Histogram& /*histogram*/,
    double /*scale*/
) {}

void ResourceHistory::add(std::int64_t at, const Collector& now) {
    if (before_ && at > before_at_) {
        Sample sample;
        sample.at = at;
        for (std::size_t i = 0; i < kSeries; ++i) {
            const double growth = (now.values_[i] - before_->values_[i]) / static_cast<double>(at - before_at_);
            sample.values[i] = static_cast<float>(now.grows_[i] ? growth : now.values_[i]);
        }
        const std::lock_guard lock(mutex_);
        ring_[count_++ % kSamplesMax] = sample;
    }
    before_ = now;
    before_at_ = at;
}

std::vector<ResourceHistory::Sample> ResourceHistory::since(std::int64_t after) const {
    std::vector<Sample> samples;
    const std::lock_guard lock(mutex_);
    const std::size_t kept = std::min(count_, kSamplesMax);
    for (std::size_t i = count_ - kept; i < count_; ++i) {
        if (ring_[i % kSamplesMax].at > after) {
            samples.push_back(ring_[i % kSamplesMax]);
        }
    }
    return samples;
}

}  // namespace confab::meter
