#include "api/rate_limits.hpp"

namespace confab::api {

namespace {

using meter::Allowance;
using meter::LimitKind;
using meter::MinuteBucket;
using std::chrono::milliseconds;
using std::chrono::seconds;

// The one that stops first: of the person's and the key's.
MinuteBucket::Reading tighter(const MinuteBucket::Reading& person, const MinuteBucket::Reading& key) {
    if (key.limit == meter::kUnlimited) {
        return person;
    }
    return person.limit == meter::kUnlimited || key.remaining < person.remaining ? key : person;
}

void add_reading(web::Request& request, const std::string& what, const MinuteBucket::Reading& reading) {
    if (reading.limit == meter::kUnlimited) {
        return;
    }
    request.answer_headers.push_back({"x-ratelimit-limit-" + what, std::to_string(reading.limit)});
    request.answer_headers.push_back({"x-ratelimit-remaining-" + what, std::to_string(reading.remaining)});
    request.answer_headers.push_back({"x-ratelimit-reset-" + what, render_reset(reading.until_full)});
}

void add_readings(web::Request& request, const auth::Entitled& entitled) {
    const auto now = std::chrono::steady_clock::now();
    const MinuteBucket::Reading none;
    const Allowance* key = entitled.key.get();
    add_reading(
        request, "requests", tighter(entitled.person->requests(now), key != nullptr ? key->requests(now) : none)
    );
    add_reading(request, "tokens", tighter(entitled.person->tokens(now), key != nullptr ? key->tokens(now) : none));
}

std::string message_of(const Allowance::Refusal& refusal) {
    const std::string limit = std::to_string(refusal.limit);
    switch (refusal.kind) {
        case LimitKind::requests_per_minute: return "Rate limit reached: " + limit + " requests per minute.";
        case LimitKind::tokens_per_minute: return "Rate limit reached: " + limit + " tokens per minute.";
        case LimitKind::requests_per_month: return "The month's " + limit + " requests are used up.";
        case LimitKind::tokens_per_month: return "The month's " + limit + " tokens are used up.";
        case LimitKind::concurrent_answers:
            return "Too many answers at once: at most " + limit + " may be under way. Wait until one has ended.";
        case LimitKind::storage_bytes: break;
    }
    return "Rate limit reached.";
}

std::unexpected<base::Error> refuse(web::Request& request, const Allowance::Refusal& refusal) {
    base::Error error;
    error.errc = base::Errc::rate_limited;
    error.message = message_of(refusal);
    error.retry_after = std::max(std::chrono::ceil<seconds>(refusal.retry_after), seconds(1));
    const bool of_month =
        refusal.kind == LimitKind::requests_per_month || refusal.kind == LimitKind::tokens_per_month;
    error.code = of_month ? "insufficient_quota" : "rate_limit_exceeded";
    if (of_month) {
        request.answer_headers.push_back({"x-should-retry", "false"});  // OpenAI's clients would try again, twice
    } else {
        const auto wait = std::max(std::chrono::ceil<milliseconds>(refusal.retry_after), milliseconds(1));
        request.answer_headers.push_back({"retry-after-ms", std::to_string(wait.count())});
    }
    return std::unexpected(std::move(error));
}

}  // namespace

base::Status begin_answer(web::Request& request, const auth::Entitled& entitled) {
    const auto refusal = meter::begin_answer(entitled.person, entitled.key, request.caller.ticket);
    add_readings(request, entitled);
    if (refusal) {
        return refuse(request, *refusal);
    }
    return {};
}

std::string render_reset(std::chrono::steady_clock::duration time) {
    const auto whole = std::chrono::ceil<milliseconds>(time);
    if (whole < seconds(1)) {
        return whole.count() <= 0 ? "0s" : std::to_string(whole.count()) + "ms";
    }
    const std::int64_t total = std::chrono::ceil<seconds>(whole).count();
    std::string text;
    if (total >= 3'600) {
        text += std::to_string(total / 3'600) + "h";
    }
    if (total >= 60) {
        text += std::to_string(total / 60 % 60) + "m";
    }
    return text + std::to_string(total % 60) + "s";
}

}  // namespace confab::api
