#include "meter/byte_budget.hpp"

#include <algorithm>
#include <string>

namespace confab::meter {

namespace {

constexpr std::array<std::string_view, kPurposes> kPurposeNames{
    "connections",
    "bodies",
    "replies",
    "runs",
    "relays",
    "uploads",
    "downloads",
    "exports",
    "background",
    "other",
};

static_assert(static_cast<std::size_t>(Purpose::other) + 1 == kPurposes);

constexpr std::chrono::seconds kRetryAfter{1};
constexpr std::chrono::seconds kQuotaRetryAfter{2};

// Connections whose owner nobody knows must not take what answers need.
constexpr std::uint64_t kConnectionsShare = 2;

// `held` grows by `bytes` unless it would exceed `max`.
bool add_within(std::atomic<std::uint64_t>& held, std::uint64_t bytes, std::uint64_t max) {
    std::uint64_t now = held.load(std::memory_order_relaxed);
    do {
        if (now > max || bytes > max - now) {
            return false;
        }
    } while (!held.compare_exchange_weak(now, now + bytes, std::memory_order_relaxed));
    return true;
}

}  // namespace

std::string_view name_of(Purpose purpose) {
    return kPurposeNames[static_cast<std::size_t>(purpose)];
}

// ---- bytes ----

base::Result<Lease> ByteBudget::try_lease(std::uint64_t bytes, Purpose purpose, std::int64_t user_no) {
    UserAccount* account = user_no == kNobody ? nullptr : &accounts_.of(user_no);
    TRY_VOID(take(bytes, purpose, account, 0));
    return Lease(this, account, bytes, purpose);
}

base::Status ByteBudget::take(std::uint64_t bytes, Purpose purpose, UserAccount* account, std::uint64_t own) {
    if (account != nullptr && !accounts_.take(*account, bytes, limits_.user_bytes_max, own)) {
        return refuse(Shed::bytes_over_quota);
    }
    auto& of_purpose = by_purpose_[static_cast<std::size_t>(purpose)];
    const bool is_connection = purpose == Purpose::connections;
    const std::uint64_t purpose_max = is_connection ? limits_.bytes_max / kConnectionsShare : limits_.bytes_max;
    if (add_within(of_purpose, bytes, purpose_max)) {
        if (add_within(leased_, bytes, limits_.bytes_max)) {
            return {};
        }
        of_purpose.fetch_sub(bytes, std::memory_order_relaxed);
    }
    if (account != nullptr) {
        accounts_.give(*account, bytes);
    }
    return refuse(Shed::budget_exhausted);
}

void ByteBudget::give(std::uint64_t bytes, Purpose purpose, UserAccount* account) {
    by_purpose_[static_cast<std::size_t>(purpose)].fetch_sub(bytes, std::memory_order_relaxed);
    leased_.fetch_sub(bytes, std::memory_order_relaxed);
    if (account != nullptr) {
        accounts_.give(*account, bytes);
    }
}

std::unexpected<base::Error> ByteBudget::refuse(Shed shed) {
    if (pressure_ != nullptr) {
        pressure_->count(shed);
    }
    base::Error error;
    if (shed == Shed::budget_exhausted) {
        error = {
            base::Errc::unavailable,
            "The server is short of memory. Try again shortly.",
            "overloaded",
            {},
            jittered(kRetryAfter)};
    } else if (shed == Shed::bytes_over_quota) {
        error = {
            base::Errc::rate_limited,
            "Your requests together hold as much memory as one user may (" +
                std::to_string(limits_.user_bytes_max >> 20) + " MiB). Try again when some of them have ended.",
            "user_memory_exceeded",
            {},
            jittered(kQuotaRetryAfter)};
    } else {
        error = {
            base::Errc::rate_limited,
            "You have " + std::to_string(limits_.user_runs_max) +
                " answers under way, which is as many as one user may. Try again when one has ended.",
            "user_runs_exceeded",
            {},
            jittered(kQuotaRetryAfter)};
    }
    return std::unexpected(std::move(error));
}

base::Status Lease::grow(std::uint64_t more) {
    if (budget_ == nullptr) {
        return base::fail(base::Errc::unavailable, "The server is short of memory. Try again shortly.", "overloaded");
    }
    TRY_VOID(budget_->take(more, purpose_, account_, bytes_));
    bytes_ += more;
    return {};
}

void Lease::shrink_to(std::uint64_t bytes) {
    if (budget_ != nullptr && bytes < bytes_) {
        budget_->give(std::exchange(bytes_, bytes) - bytes, purpose_, account_);
    }
}

void Lease::release() {
    if (budget_ != nullptr) {
        std::exchange(budget_, nullptr)->give(std::exchange(bytes_, 0), purpose_, account_);
    }
}

// ---- answers under way ----

Slot::Slot(std::atomic<std::uint32_t>& taken, unsigned max) {
    std::uint32_t now = taken.load(std::memory_order_relaxed);
    do {
        if (now >= max) {
            return;
        }
    } while (!taken.compare_exchange_weak(now, now + 1, std::memory_order_relaxed));
    taken_ = &taken;
}

Slot ByteBudget::try_run(std::int64_t user_no) {
    return {accounts_.of(user_no).runs, limits_.user_runs_max};
}

Slot ByteBudget::try_wait(std::int64_t user_no) {
    return {accounts_.of(user_no).waiting, limits_.user_waiting_max};
}

std::unexpected<base::Error> ByteBudget::too_many_runs() {
    return refuse(Shed::run_over_quota);
}

// ---- shares ----

std::uint64_t ByteBudget::fair_share() const {
    return limits_.bytes_max / std::max<std::uint64_t>(accounts_.active(), 1);
}

bool ByteBudget::is_over_share(std::int64_t user_no) {
    return accounts_.of(user_no).bytes.load(std::memory_order_relaxed) > fair_share();
}

std::uint64_t budget_of(std::uint64_t limit_bytes, std::uint64_t cache_bytes, std::uint64_t hashing_bytes) {
    const std::uint64_t most = limit_bytes / 5 * 4;
    const std::uint64_t fixed = kBaselineBytes + cache_bytes + hashing_bytes;
    return std::max(most > fixed ? most - fixed : 0, kBudgetBytesMin);
}

}  // namespace confab::meter
