// What answers took, and what people and keys may use, as plain values.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "meter/allowance.hpp"
#include "store/rows.hpp"

namespace confab::store {

inline constexpr std::int64_t kSecondsOfDay = 86'400;
inline constexpr std::int64_t kUsageDaysMax = 400;    // of one question
inline constexpr std::int64_t kUsageRowsMax = 4'000;  // days and models together, of one question; the newest days
inline constexpr std::size_t kUsageModelsMax = 200;   // of one person and day; what comes on top is summed under kOtherModels
inline constexpr std::string_view kOtherModels = "(others)";

using DayNo = std::int64_t;    // since 1970, UTC
using MonthNo = std::int64_t;  // year * 12 + month - 1, UTC

constexpr DayNo day_of(UnixSeconds time) {
    return time / kSecondsOfDay;
}

constexpr MonthNo month_of(UnixSeconds time) {
    const std::chrono::year_month_day date(std::chrono::sys_days(std::chrono::days(day_of(time))));
    return static_cast<MonthNo>(static_cast<int>(date.year())) * 12 +
           static_cast<MonthNo>(static_cast<unsigned>(date.month())) - 1;
}

// Who asked for an answer, and with what: a key, a session, or neither.
struct Payer {
    UserNo user{};
    std::optional<KeyId> key;
    std::optional<SessionId> session;
};

// One row of the ledger.
struct UsageEntry {
    std::int64_t entry = 0;  // its number, given by the store
    UnixSeconds at = 0;
    Payer payer;
    RunNo run{};  // 0: nothing of the answer is stored
    std::string model;
    std::string upstream;
    UsageCount count;
};

// The same with the names that a reader wants; empty when who or what it was is gone.
struct NamedUsageEntry {
    UsageEntry row;
    std::string email;
    std::string key_name;
};

struct UsageSum {
    std::int64_t requests = 0;
    std::int64_t input_tokens = 0;
    std::int64_t output_tokens = 0;
    std::int64_t cost = 0;

    std::int64_t tokens() const { return input_tokens + output_tokens; }
};

struct UsageOfDay {
    DayNo day = 0;
    std::string model;
    UsageSum sum;
};

struct UsageOfPerson {
    UserNo user{};
    UserId id;
    std::string email;  // empty: deleted
    std::string name;
    UsageSum sum;
};

struct UsageOfKey {
    KeyId id;
    UsageSum sum;
};

// Where the next page of the ledger begins: after this row.
struct LedgerPlace {
    UnixSeconds at = 0;
    std::int64_t entry = 0;
};

// ---- limits ----

enum class LimitScope : std::uint8_t { every_person, every_key, person, key };

// Each absent: as everybody; meter::kUnlimited: none.
using Limits = std::array<std::optional<std::int64_t>, meter::kLimitKinds>;

// Whose limits: of everybody, of a person or of a key.
struct LimitSubject {
    LimitScope scope = LimitScope::every_person;
    std::optional<UserId> person;  // for LimitScope::person
    std::optional<KeyId> key;      // for LimitScope::key
};

// What is in force for one person and one of their keys, and what they used this month.
struct Entitlement {
    meter::LimitValues person = meter::kNoLimits;
    meter::LimitValues key = meter::kNoLimits;
    UsageSum person_used;
    UsageSum key_used;
    std::int64_t storage_used = 0;  // bytes of files
};

}  // namespace confab::store
