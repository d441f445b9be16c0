// Allowance: what one person, or one API key, may use, and what they have used. Atomics only: any shard asks it, nobody
// waits (ADR 0030).
//
// Minutes are counted by a bucket that refills steadily (the generic cell rate algorithm: one number, the moment at which
// the bucket is full again). Tokens are known when an answer ends; what was too much is a debt that later requests wait
// for. Months are calendar months, UTC.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace confab::meter {

enum class LimitKind : std::uint8_t {
    requests_per_minute,
    tokens_per_minute,
    requests_per_month,
    tokens_per_month,
    concurrent_answers,
    storage_bytes,
};

inline constexpr std::size_t kLimitKinds = 6;
inline constexpr std::int64_t kUnlimited = -1;
inline constexpr std::chrono::hours kTokenDebtMax{1};  // a longer debt is forgiven

// A limit of 0 lets nothing through; kUnlimited everything.
using LimitValues = std::array<std::int64_t, kLimitKinds>;

inline constexpr LimitValues kNoLimits{kUnlimited, kUnlimited, kUnlimited, kUnlimited, kUnlimited, kUnlimited};

struct MonthSum {
    std::int64_t requests = 0;
    std::int64_t tokens = 0;
};

// A bucket of `limit` per minute.
class MinuteBucket {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    struct Reading {
        std::int64_t limit = kUnlimited;
        std::int64_t remaining = 0;
        Duration until_full{};  // when all of `limit` is there again
        Duration until_one{};   // when one is there; zero: now
    };

    // Takes one, if there is one.
    bool take(std::int64_t limit, Time now);
    // Takes `n`, whether they are there or not.
    void charge(std::int64_t limit, std::int64_t n, Time now);
    void give_back(std::int64_t limit);
    Reading read(std::int64_t limit, Time now) const;

private:
    std::atomic<std::int64_t> full_at_{0};  // nanoseconds of the steady clock
};

class Allowance {
public:
    using Time = MinuteBucket::Time;

    // Why a request is refused, and when it may come again.
    struct Refusal {
        LimitKind kind = LimitKind::requests_per_minute;
        std::int64_t limit = 0;
        MinuteBucket::Duration retry_after{};
    };

    struct Moment {
        Time now;
        std::int64_t month = 0;                   // a number that grows by one each month
        std::chrono::seconds month_ends_in{0};
    };

    // `used`: what is known of the month already.
    Allowance(const LimitValues& limits, std::int64_t month, MonthSum used);

    void set_limits(const LimitValues& limits);
    std::int64_t limit(LimitKind kind) const;

    // Begins an answer, or says what stands in the way. Who begins one ends it.
    std::optional<Refusal> begin(const Moment& moment);
    // As if begin() had not been called; the place among concurrent answers included.
    void undo(const Moment& moment);
    // The answer has ended. `tokens`: nothing when there was none; then it does not count for the month.
    void end(std::optional<std::int64_t> tokens, const Moment& moment);

    MinuteBucket::Reading requests(Time now) const;
    MinuteBucket::Reading tokens(Time now) const;
    MonthSum used_in(std::int64_t month) const;

    std::int64_t under_way() const { return under_way_.load(std::memory_order_relaxed); }

private:
    void turn_to(std::int64_t month);

    std::array<std::atomic<std::int64_t>, kLimitKinds> limits_;
    MinuteBucket requests_;
    MinuteBucket tokens_;
    std::atomic<std::int64_t> under_way_{0};
    std::atomic<std::int64_t> month_;
    std::atomic<std::int64_t> month_requests_;
    std::atomic<std::int64_t> month_tokens_;
};

using AllowancePtr = std::shared_ptr<Allowance>;

Allowance::Moment moment_now();

// The right to make one answer, held until it has ended: on its person's allowance and on its key's, if there is one.
class Ticket {
public:
    // The allowances have begun the answer.
    Ticket(AllowancePtr person, AllowancePtr key) : person_(std::move(person)), key_(std::move(key)) {}

    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    ~Ticket();

    // What the answer took. An answer without a charge counts for nothing but the minute.
    void charge(std::int64_t tokens) { tokens_ = tokens; }

    const Allowance& person() const { return *person_; }

private:
    AllowancePtr person_;
    AllowancePtr key_;
    std::optional<std::int64_t> tokens_;
};

using TicketPtr = std::shared_ptr<Ticket>;

// Begins an answer on both; `key` may be null. On a refusal nothing has changed.
std::optional<Allowance::Refusal> begin_answer(const AllowancePtr& person, const AllowancePtr& key, TicketPtr& ticket);

}  // namespace confab::meter
