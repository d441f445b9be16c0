// ByteBudget: a cap on the bytes that buffers may hold at once, shared by all shards. Every buffer whose size a client
// or a model server decides is leased from it before it grows. A refused lease is answered with 503 (the budget is used
// up) or 429 (the user holds as much as one may), not with the OOM killer.
//
// A lease says what its bytes are for and whose they are, so that it can be seen who holds what, and so that nobody
// holds everything. Any thread; no lock: two or three atomic additions for each lease, and none for a token.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "meter/pressure.hpp"
#include "meter/user_accounts.hpp"

namespace confab::meter {

enum class Purpose : std::uint8_t {
    connections,  // of clients: what is read ahead and not sent yet
    bodies,       // of requests, and what is parsed of them
    replies,      // lists and items on their way to a client
    runs,         // answers being made: prompt and event log
    relays,       // chat completions being passed on
    uploads,      // pieces on their way to the disk
    downloads,    // files being sent
    exports,
    background,  // imports, titles, summaries
    other,
};

inline constexpr std::size_t kPurposes = 10;

// For programs, for instance "bodies".
std::string_view name_of(Purpose purpose);

inline constexpr std::uint64_t kConnectionLeaseBytes = 64 * 1024;
inline constexpr std::uint64_t kUserBytesMax = 16ULL * 1024 * 1024;
inline constexpr unsigned kUserRunsMax = 4;
inline constexpr unsigned kUserWaitingMax = 2;  // requests of one user that wait for an answer to end, besides

struct BudgetLimits {
    std::uint64_t bytes_max = 0;
    std::uint64_t user_bytes_max = kUserBytesMax;
    unsigned user_runs_max = kUserRunsMax;  // answers that a user may have under way
    unsigned user_waiting_max = kUserWaitingMax;
};

class ByteBudget;

// Bytes held from a budget; given back when it dies.
class Lease {
public:
    Lease() = default;

    Lease(Lease&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)),
          account_(other.account_),
          bytes_(std::exchange(other.bytes_, 0)),
          purpose_(other.purpose_) {}

    Lease& operator=(Lease&& other) noexcept {
        if (this != &other) {
            release();
            budget_ = std::exchange(other.budget_, nullptr);
            account_ = other.account_;
            bytes_ = std::exchange(other.bytes_, 0);
            purpose_ = other.purpose_;
        }
        return *this;
    }

    ~Lease() { release(); }

    std::uint64_t bytes() const { return bytes_; }

    // Takes `more` bytes from the same budget. Errors, and nothing changed: unavailable (overloaded), rate_limited
    // (user_memory_exceeded).
    [[nodiscard]] base::Status grow(std::uint64_t more);
    // Gives back what is more than that; nothing when it is less.
    void shrink_to(std::uint64_t bytes);
    void release();

private:
    friend class ByteBudget;

    Lease(ByteBudget* budget, UserAccount* account, std::uint64_t bytes, Purpose purpose)
        : budget_(budget), account_(account), bytes_(bytes), purpose_(purpose) {}

    ByteBudget* budget_ = nullptr;
    UserAccount* account_ = nullptr;  // null: nobody's
    std::uint64_t bytes_ = 0;
    Purpose purpose_ = Purpose::other;
};

// One of the places that are counted: an answer that a user may have under way, a request that waits for one, a password
// being checked. Given back when it dies.
class Slot {
public:
    Slot() = default;

    Slot(Slot&& other) noexcept : taken_(std::exchange(other.taken_, nullptr)) {}

    Slot& operator=(Slot&& other) noexcept {
        if (this != &other) {
            release();
            taken_ = std::exchange(other.taken_, nullptr);
        }
        return *this;
    }

    ~Slot() { release(); }

    void release() {
        if (taken_ != nullptr) {
            std::exchange(taken_, nullptr)->fetch_sub(1, std::memory_order_relaxed);
        }
    }

    explicit operator bool() const { return taken_ != nullptr; }

private:
    friend class ByteBudget;

    // Empty when `max` are taken already.
    Slot(std::atomic<std::uint32_t>& taken, unsigned max);

    std::atomic<std::uint32_t>* taken_ = nullptr;
};

class ByteBudget {
public:
    // Without a user cap worth mentioning; for programs with one user.
    explicit ByteBudget(std::uint64_t bytes_max)
        : ByteBudget(BudgetLimits{bytes_max, bytes_max, kUserRunsMax, kUserWaitingMax}) {}

    // What is refused is counted in `pressure`, if given; it outlives the budget.
    explicit ByteBudget(const BudgetLimits& limits, Pressure* pressure = nullptr)
        : limits_(limits), pressure_(pressure) {}

    // Errors: unavailable (overloaded), rate_limited (user_memory_exceeded).
    base::Result<Lease> try_lease(
        std::uint64_t bytes,
        Purpose purpose = Purpose::other,
        std::int64_t user_no = kNobody
    );

    // Nothing (false) when the user has as many answers under way as one may.
    Slot try_run(std::int64_t user_no);
    // Nothing (false) when as many of the user's requests wait already as may.
    Slot try_wait(std::int64_t user_no);
    // Nothing (false) when so many passwords are being checked already.
    Slot try_sign_in(unsigned at_once_max) { return {sign_ins_, at_once_max}; }

    // The error for whom neither was left: rate_limited (user_runs_exceeded).
    std::unexpected<base::Error> too_many_runs();

    std::uint64_t bytes_max() const { return limits_.bytes_max; }

    const BudgetLimits& limits() const { return limits_; }

    std::uint64_t bytes_leased() const { return leased_.load(std::memory_order_relaxed); }

    std::uint64_t bytes_leased(Purpose purpose) const {
        return by_purpose_[static_cast<std::size_t>(purpose)].load(std::memory_order_relaxed);
    }

    // What each active user would hold if all held the same; the whole budget when nobody is active.
    std::uint64_t fair_share() const;
    bool is_over_share(std::int64_t user_no);

    std::uint64_t active_users() const { return accounts_.active(); }

    // Walks over all accounts: for the monitor and the meters, not for a request.
    std::vector<UserHolding> heaviest_users(std::size_t users_max) const { return accounts_.heaviest(users_max); }

private:
    friend class Lease;

    // `own`: what the lease that grows holds already.
    base::Status take(std::uint64_t bytes, Purpose purpose, UserAccount* account, std::uint64_t own);
    void give(std::uint64_t bytes, Purpose purpose, UserAccount* account);
    std::unexpected<base::Error> refuse(Shed shed);

    const BudgetLimits limits_;
    Pressure* const pressure_;
    std::atomic<std::uint64_t> leased_{0};
    std::array<std::atomic<std::uint64_t>, kPurposes> by_purpose_{};
    std::atomic<std::uint32_t> sign_ins_{0};
    UserAccounts accounts_;
};

// What buffers may hold of a memory limit: four fifths of it, less what the program (kBaselineBytes), the databases'
// caches and the hashing of passwords need at their largest. At least kBudgetBytesMin, however small the limit.
std::uint64_t budget_of(std::uint64_t limit_bytes, std::uint64_t cache_bytes, std::uint64_t hashing_bytes);

inline constexpr std::uint64_t kBaselineBytes = 24ULL * 1024 * 1024;  // what an idle server holds, at most
inline constexpr std::uint64_t kBudgetBytesMin = 16ULL * 1024 * 1024;

}  // namespace confab::meter
