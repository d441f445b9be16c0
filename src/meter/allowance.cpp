#include "meter/allowance.hpp"

#include <algorithm>
#include <cmath>

namespace confab::meter {

namespace {

using std::chrono::nanoseconds;

constexpr double kMinute = 60e9;  // nanoseconds
constexpr double kDebtMax = 3'600e9;

static_assert(std::chrono::duration_cast<nanoseconds>(kTokenDebtMax).count() == 3'600'000'000'000);

constexpr std::size_t index(LimitKind kind) {
    return static_cast<std::size_t>(kind);
}

std::int64_t nanos(MinuteBucket::Time time) {
    return std::chrono::duration_cast<nanoseconds>(time.time_since_epoch()).count();
}

// Nanoseconds until one more is there.
double interval(std::int64_t limit) {
    return kMinute / static_cast<double>(std::max<std::int64_t>(limit, 1));
}

}  // namespace

bool MinuteBucket::take(std::int64_t limit, Time now) {
    if (limit == kUnlimited) {
        return true;
    }
    if (limit <= 0) {
        return false;
    }
    const std::int64_t at = nanos(now);
    std::int64_t full_at = full_at_.load(std::memory_order_relaxed);
    while (true) {
        const std::int64_t next = std::max(full_at, at) + static_cast<std::int64_t>(interval(limit));
        if (static_cast<double>(next - at) > kMinute) {
            return false;
        }
        if (full_at_.compare_exchange_weak(full_at, next, std::memory_order_relaxed)) {
            return true;
        }
    }
}

void MinuteBucket::charge(std::int64_t limit, std::int64_t n, Time now) {
    if (limit == kUnlimited || n <= 0) {
        return;
    }
    const std::int64_t at = nanos(now);
    const double cost = std::min(static_cast<double>(n) * interval(limit), kDebtMax);
    std::int64_t full_at = full_at_.load(std::memory_order_relaxed);
    while (true) {
        const std::int64_t most = at + static_cast<std::int64_t>(kDebtMax);
        const std::int64_t next = std::min(std::max(full_at, at) + static_cast<std::int64_t>(cost), most);
        if (full_at_.compare_exchange_weak(full_at, next, std::memory_order_relaxed)) {
            return;
        }
    }
}

void MinuteBucket::give_back(std::int64_t limit) {
    if (limit > 0) {
        full_at_.fetch_sub(static_cast<std::int64_t>(interval(limit)), std::memory_order_relaxed);
    }
}

MinuteBucket::Reading MinuteBucket::read(std::int64_t limit, Time now) const {
    Reading reading;
    reading.limit = limit;
    if (limit == kUnlimited) {
        return reading;
    }
    if (limit <= 0) {
        reading.until_one = reading.until_full = std::chrono::minutes(1);
        return reading;
    }
    const auto owed = static_cast<double>(std::max<std::int64_t>(full_at_.load(std::memory_order_relaxed) - nanos(now), 0));
    const double free = (kMinute - owed) / interval(limit);
    // A bucket of 3 that was just filled has three, whatever the division says.
    reading.remaining = free <= 0 ? 0 : static_cast<std::int64_t>(std::floor(free + 1e-6));
    reading.until_full = nanoseconds(static_cast<std::int64_t>(owed));
    reading.until_one = nanoseconds(static_cast<std::int64_t>(std::max(owed + interval(limit) - kMinute, 0.0)));
    return reading;
}

// ---- Allowance ----

Allowance::Allowance(const LimitValues& limits, std::int64_t month, MonthSum used)
    : month_(month), month_requests_(used.requests), month_tokens_(used.tokens) {
    set_limits(limits);
}

void Allowance::set_limits(const LimitValues& limits) {
    for (std::size_t i = 0; i < kLimitKinds; ++i) {
        limits_[i].store(limits[i], std::memory_order_relaxed);
    }
}

std::int64_t Allowance::limit(LimitKind kind) const {
    return limits_[index(kind)].load(std::memory_order_relaxed);
}

// The first request of a month empties last month's sums. One that is counted at the same moment may be lost: fine.
void Allowance::turn_to(std::int64_t month) {
    std::int64_t known = month_.load(std::memory_order_relaxed);
    if (known < month && month_.compare_exchange_strong(known, month, std::memory_order_relaxed)) {
        month_requests_.store(0, std::memory_order_relaxed);
        month_tokens_.store(0, std::memory_order_relaxed);
    }
}

std::optional<Allowance::Refusal> Allowance::begin(const Moment& moment) {
    turn_to(moment.month);
    const auto refuse = [&](LimitKind kind, MinuteBucket::Duration wait) {
        return Refusal{kind, limit(kind), wait};
    };
    const std::int64_t month_tokens = limit(LimitKind::tokens_per_month);
    if (month_tokens != kUnlimited && month_tokens_.load(std::memory_order_relaxed) >= month_tokens) {
        return refuse(LimitKind::tokens_per_month, moment.month_ends_in);
    }
    const auto tokens_left = tokens(moment.now);
    if (tokens_left.limit != kUnlimited && tokens_left.remaining == 0) {
        return refuse(LimitKind::tokens_per_minute, tokens_left.until_one);
    }
    const std::int64_t month_requests = limit(LimitKind::requests_per_month);
    if (month_requests_.fetch_add(1, std::memory_order_relaxed) >= month_requests && month_requests != kUnlimited) {
        month_requests_.fetch_sub(1, std::memory_order_relaxed);
        return refuse(LimitKind::requests_per_month, moment.month_ends_in);
    }
    const std::int64_t concurrent = limit(LimitKind::concurrent_answers);
    if (under_way_.fetch_add(1, std::memory_order_relaxed) >= concurrent && concurrent != kUnlimited) {
        end(std::nullopt, moment);
        return refuse(LimitKind::concurrent_answers, std::chrono::seconds(1));
    }
    if (!requests_.take(limit(LimitKind::requests_per_minute), moment.now)) {
        end(std::nullopt, moment);
        return refuse(LimitKind::requests_per_minute, requests(moment.now).until_one);
    }
    return std::nullopt;
}

void Allowance::undo(const Moment& moment) {
    requests_.give_back(limit(LimitKind::requests_per_minute));
    end(std::nullopt, moment);
}

void Allowance::end(std::optional<std::int64_t> tokens, const Moment& moment) {
    turn_to(moment.month);
    under_way_.fetch_sub(1, std::memory_order_relaxed);
    if (!tokens) {
        // One that began last month is not in this month's sum.
        if (month_requests_.fetch_sub(1, std::memory_order_relaxed) <= 0) {
            month_requests_.fetch_add(1, std::memory_order_relaxed);
        }
        return;
    }
    month_tokens_.fetch_add(*tokens, std::memory_order_relaxed);
    tokens_.charge(limit(LimitKind::tokens_per_minute), *tokens, moment.now);
}

MinuteBucket::Reading Allowance::requests(Time now) const {
    return requests_.read(limit(LimitKind::requests_per_minute), now);
}

MinuteBucket::Reading Allowance::tokens(Time now) const {
    return tokens_.read(limit(LimitKind::tokens_per_minute), now);
}

MonthSum Allowance::used_in(std::int64_t month) const {
    if (month_.load(std::memory_order_relaxed) != month) {
        return {};
    }
    return {month_requests_.load(std::memory_order_relaxed), month_tokens_.load(std::memory_order_relaxed)};
}

// ---- tickets ----

Allowance::Moment moment_now() {
    using namespace std::chrono;
    const auto wall = system_clock::now();
    const year_month_day today(floor<days>(wall));
    const auto month = today.year() / today.month();
    Allowance::Moment moment;
    moment.now = steady_clock::now();
    moment.month = static_cast<std::int64_t>(static_cast<int>(today.year())) * 12 +
                   static_cast<std::int64_t>(static_cast<unsigned>(today.month())) - 1;
    moment.month_ends_in = ceil<seconds>(sys_days((month + months(1)) / 1) - wall);
    return moment;
}

Ticket::~Ticket() {
    const auto moment = moment_now();
    person_->end(tokens_, moment);
    if (key_) {
        key_->end(tokens_, moment);
    }
}

std::optional<Allowance::Refusal> begin_answer(const AllowancePtr& person, const AllowancePtr& key, TicketPtr& ticket) {
    const auto moment = moment_now();
    if (auto refused = person->begin(moment)) {
        return refused;
    }
    if (key) {
        if (auto refused = key->begin(moment)) {
            person->undo(moment);
            return refused;
        }
    }
    ticket = std::make_shared<Ticket>(person, key);
    return std::nullopt;
}

}  // namespace confab::meter
