// AddressRate: how many requests a minute one address may make of what anybody may ask. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/error.hpp"
#include "meter/keyed_table.hpp"

namespace confab::api {

inline constexpr std::uint32_t kSharedReadsPerMinute = 600;  // several people may have one address

class AddressRate {
public:
    using Time = std::chrono::steady_clock::time_point;

    explicit AddressRate(std::uint32_t per_minute_max) : per_minute_max_(per_minute_max) {}

    // Counts one request of this address; an empty one is this machine's and is not counted. Error: rate_limited
    // (too_many_requests).
    base::Status take(const std::string& address, Time now);

private:
    struct Minute {
        Time begin{};
        std::uint32_t requests = 0;
    };

    static constexpr std::size_t kAddressesMax = 10'000;

    const std::uint32_t per_minute_max_;
    meter::KeyedTable<std::string, Minute> minutes_{kAddressesMax};
};

}  // namespace confab::api
