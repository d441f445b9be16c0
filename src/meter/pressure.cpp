#include "meter/pressure.hpp"

#include <algorithm>
#include <random>

namespace confab::meter {

namespace {

constexpr std::array<std::string_view, kSheds> kShedNames{
    "background_deferred",
    "background_refused",
    "sign_in_refused",
    "upload_refused",
    "over_share_refused",
    "run_refused",
    "heap_trimmed",
    "idle_closed",
    "connection_refused",
    "viewer_dropped",
    "run_interrupted",
    "run_over_quota",
    "bytes_over_quota",
    "budget_exhausted",
};

constexpr bool rules_are_in_order() {
    for (std::size_t i = 0; i < kActions; ++i) {
        if (static_cast<std::size_t>(kActionRules[i].action) != i) {
            return false;
        }
    }
    return true;
}

static_assert(rules_are_in_order(), "kActionRules is indexed by Action");
static_assert(static_cast<std::size_t>(Shed::budget_exhausted) + 1 == kSheds);

}  // namespace

std::string_view name_of(Shed shed) {
    return kShedNames[static_cast<std::size_t>(shed)];
}

double Pressure::level() const noexcept {
    const std::uint64_t limit = limit_bytes();
    return limit == 0 ? 0.0 : static_cast<double>(usage_bytes()) / static_cast<double>(limit);
}

unsigned Pressure::update(const MemoryReading& reading) noexcept {
    usage_.store(reading.usage_bytes, std::memory_order_relaxed);
    limit_.store(reading.limit_bytes, std::memory_order_relaxed);
    source_.store(reading.source, std::memory_order_relaxed);
    const unsigned before = active_.load(std::memory_order_relaxed);
    const double level = reading.fraction();
    unsigned now = 0;
    for (const ActionRule& rule : kActionRules) {
        const unsigned bit = 1U << static_cast<unsigned>(rule.action);
        const double holds_from = (before & bit) != 0 ? rule.begins_at - kHysteresis : rule.begins_at;
        if (level >= holds_from) {
            now |= bit;
        }
    }
    active_.store(now, std::memory_order_relaxed);
    for (std::size_t i = 0; i < kActions; ++i) {
        if ((now & ~before & (1U << i)) != 0) {
            begun_[i].add();
        }
    }
    return now ^ before;
}

std::chrono::seconds jittered(std::chrono::seconds least) {
    thread_local std::minstd_rand random{std::random_device{}()};
    const auto floor = std::max<std::chrono::seconds::rep>(least.count(), 1);
    return std::chrono::seconds(floor + std::uniform_int_distribution<std::chrono::seconds::rep>(0, floor)(random));
}

}  // namespace confab::meter
