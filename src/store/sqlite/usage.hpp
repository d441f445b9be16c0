// The usage ledger, its sums, and limits. The meaning of each call is that of UsageStore; a call that changes something
// expects a transaction.
#pragma once

#include <optional>
#include <vector>

#include "store/sqlite/connection.hpp"
#include "store/store.hpp"

namespace confab::store::sqlite {

// Appends to the ledger and adds to the sums, unless the answer took nothing.
Status record_usage(Connection& db, const UsageEntry& entry);
Status add_usage(Connection& db, const std::vector<UsageEntry>& entries);
Result<std::vector<UsageOfDay>> list_usage_days(Connection& db, std::optional<UserNo> user, DayNo first, DayNo last);
Result<Page<UsageOfPerson>> list_usage_people(
    Connection& db,
    MonthNo month,
    std::optional<UserNo> after,
    std::size_t limit
);
Result<std::vector<UsageOfKey>> list_usage_keys(Connection& db, UserNo user, MonthNo month);
Result<std::vector<NamedUsageEntry>> list_ledger(
    Connection& db,
    std::optional<UserNo> user,
    const LedgerPlace& place,
    UnixSeconds until,
    std::size_t limit
);

Result<Limits> find_limits(Connection& db, const LimitSubject& subject);
Status put_limits(Connection& db, const LimitSubject& subject, const Limits& limits);
// Of keys and people that end.
Status delete_limits_of_key(Connection& db, KeyId id);
Status delete_limits_of_user(Connection& db, UserId id);
Status delete_limits_of_keys_of(Connection& db, UserNo user);
Result<Entitlement> find_entitlement(Connection& db, UserNo user, std::optional<KeyId> key, MonthNo month);
// The most bytes of files that a person may have; kUserFileBytesMax unless an administrator says otherwise.
Result<std::int64_t> storage_limit(Connection& db, UserNo user);

}  // namespace confab::store::sqlite
