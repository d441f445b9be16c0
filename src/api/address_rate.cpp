#include "api/address_rate.hpp"

namespace confab::api {

base::Status AddressRate::take(const std::string& address, Time now) {
    if (address.empty()) {
        return {};
    }
    const auto is_over = [now](const Minute& minute) { return now - minute.begin >= std::chrono::minutes(1); };
    auto count = [&](Minute& minute) {
        if (is_over(minute)) {
            minute = {now, 0};
        }
        ++minute.requests;
    };
    const Minute minute = minutes_.update(address, count, is_over);
    if (minute.requests <= per_minute_max_) {
        return {};
    }
    const auto wait = std::chrono::ceil<std::chrono::seconds>(minute.begin + std::chrono::minutes(1) - now);
    return std::unexpected(base::Error{
        base::Errc::rate_limited,
        "Too many requests from this address. Try again in a minute.",
        "too_many_requests",
        {},
        wait
    });
}

}  // namespace confab::api
