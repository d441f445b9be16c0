// UsageStore: the ledger of what answers took, its sums, and what people and keys may use.
//
// The ledger is only appended to. Sums by day and by month are kept in the same transaction, so that no question about
// them reads the ledger.
#pragma once

#include <optional>
#include <vector>

#include "base/error.hpp"
#include "net/task.hpp"
#include "store/usage_rows.hpp"

namespace confab::store {

class UsageStore {
public:
    virtual ~UsageStore() = default;

    // Rows of answers of which nothing is stored; the rows of others come with RunStore::finish_run.
    virtual net::Task<base::Status> add_usage(std::vector<UsageEntry> entries) = 0;

    // By day and model, oldest first; nobody given: of everybody. At most kUsageRowsMax, the newest days.
    virtual net::Task<base::Result<std::vector<UsageOfDay>>> list_usage_days(
        std::optional<UserNo> user,
        DayNo first,
        DayNo last
    ) = 0;
    // What each person used in a month, by number; people without any are left out. `after` is exclusive.
    virtual net::Task<base::Result<Page<UsageOfPerson>>> list_usage_people(
        MonthNo month,
        std::optional<UserNo> after,
        std::size_t limit
    ) = 0;
    // Of the keys that the user has, those that were used in the month.
    virtual net::Task<base::Result<std::vector<UsageOfKey>>> list_usage_keys(UserNo user, MonthNo month) = 0;
    // Rows of the ledger before `until`, in order of time, after `place`; nobody given: of everybody.
    virtual net::Task<base::Result<std::vector<NamedUsageEntry>>> list_ledger(
        std::optional<UserNo> user,
        LedgerPlace place,
        UnixSeconds until,
        std::size_t limit
    ) = 0;

    // As they were set; all absent when they never were. `not_found` like the next.
    virtual net::Task<base::Result<Limits>> find_limits(LimitSubject subject) = 0;
    // `not_found` for a person or key that does not exist.
    virtual net::Task<base::Status> put_limits(LimitSubject subject, Limits limits) = 0;
    virtual net::Task<base::Result<Entitlement>> find_entitlement(
        UserNo user,
        std::optional<KeyId> key,
        MonthNo month
    ) = 0;
};

}  // namespace confab::store
