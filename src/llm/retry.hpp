// Retry: whether, and after which pause, a request that failed is sent to the model server again. Decides only; the
// sending is UpstreamCall's. Without a clock and a random generator of its own.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>

namespace confab::llm {

inline constexpr int kTriesMax = 3;                            // the first one included
inline constexpr std::chrono::milliseconds kBackoffBase{250};  // doubled with each try
inline constexpr std::chrono::milliseconds kBackoffMax{8'000};
inline constexpr std::chrono::seconds kRetryAfterObeyedMax{30};  // a server that wants longer is not waited for
inline constexpr std::chrono::seconds kTryingMax{60};            // from the first try to the beginning of the last

// How a try failed before a byte of an answer came.
struct TryFailure {
    unsigned status = 0;    // of the server's answer; 0: there was none
    std::string_view code;  // of the error, when there was no answer
    std::optional<std::chrono::seconds> retry_after;
};

// It may pass by itself: 408, 429, 500, 502, 503, 504, 529, no connection, or one that broke.
bool is_passing(const TryFailure& failure);

// The server, or the way to it, has too much to do: 429, 503, 529, no connection, no answer in time.
bool is_overload(const TryFailure& failure);

class Retries {
public:
    using Clock = std::chrono::steady_clock;
    using Random = std::function<double()>;  // 0 <= x < 1

    Retries(Clock::time_point begun, Random random) : begun_(begun), random_(std::move(random)) {}

    // To be called once after each failed try. The pause before the next one, by full jitter or as the server wishes;
    // nothing: give up.
    std::optional<Clock::duration> next(const TryFailure& failure, Clock::time_point now);

private:
    Clock::time_point begun_;
    Random random_;
    int tries_ = 0;
};

// The value of a Retry-After header, in seconds or as a date; nothing when it cannot be understood. At most a day.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view text);

}  // namespace confab::llm
