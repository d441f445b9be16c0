#include "llm/retry.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <string>

#include "base/clock.hpp"
#include "base/text.hpp"

namespace confab::llm {

namespace {

constexpr std::int64_t kDay = 86'400;  // seconds

template <class T, std::size_t N>
bool contains(const std::array<T, N>& values, const T& value) {
    return std::ranges::find(values, value) != values.end();
}

}  // namespace

bool is_passing(const TryFailure& failure) {
    static constexpr std::array kStatuses{408U, 429U, 500U, 502U, 503U, 504U, 529U};
    static constexpr std::array<std::string_view, 4> kCodes{
        "upstream_unreachable", "upstream_disconnected", "upstream_timeout", "empty_answer"
    };
    return failure.status != 0 ? contains(kStatuses, failure.status) : contains(kCodes, failure.code);
}

bool is_overload(const TryFailure& failure) {
    static constexpr std::array kStatuses{429U, 503U, 529U};
    static constexpr std::array<std::string_view, 2> kCodes{"upstream_unreachable", "upstream_timeout"};
    return failure.status != 0 ? contains(kStatuses, failure.status) : contains(kCodes, failure.code);
}

std::optional<Retries::Clock::duration> Retries::next(const TryFailure& failure, Clock::time_point now) {
    ++tries_;
    const bool waits_too_long = failure.retry_after && *failure.retry_after > kRetryAfterObeyedMax;
    if (tries_ >= kTriesMax || !is_passing(failure) || waits_too_long) {
        return std::nullopt;
    }
    const auto most = std::min<Clock::duration>(kBackoffMax, kBackoffBase * (1 << (tries_ - 1)));
    auto pause = std::chrono::duration_cast<Clock::duration>(most * random_());
    if (failure.retry_after) {
        pause += *failure.retry_after;  // not before, and not all at the same moment
    }
    if (now + pause - begun_ > kTryingMax) {
        return std::nullopt;
    }
    return pause;
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view text) {
    text = base::trim(text);
    std::int64_t seconds = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (ec != std::errc{} || end != text.data() + text.size()) {
        std::tm date{};
        const std::string terminated(text);
        const char* rest = ::strptime(terminated.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
        if (rest == nullptr || *rest != '\0') {
            return std::nullopt;
        }
        seconds = std::max<std::int64_t>(0, static_cast<std::int64_t>(::timegm(&date)) - base::unix_now());
    }
    if (seconds < 0) {
        return std::nullopt;
    }
    return std::chrono::seconds(std::min(seconds, kDay));
}

}  // namespace confab::llm
