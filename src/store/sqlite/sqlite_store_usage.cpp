// SqliteStore's calls about usage and limits: each goes to the thread it belongs to.
#include "store/sqlite/sqlite_store.hpp"
#include "store/sqlite/usage.hpp"

namespace confab::store {

using sqlite::Connection;

// Nobody waits for these.
Task<Status> SqliteStore::add_usage(std::vector<UsageEntry> entries) {
    auto work = [entries = std::move(entries)](Connection& db) { return sqlite::add_usage(db, entries); };
    return write(std::move(work), sqlite::Rush::may_wait);
}

Task<Result<std::vector<UsageOfDay>>> SqliteStore::list_usage_days(
    std::optional<UserNo> user,
    DayNo first,
    DayNo last
) {
    auto work = [user, first, last](Connection& db) { return sqlite::list_usage_days(db, user, first, last); };
    return read(std::move(work));
}

Task<Result<Page<UsageOfPerson>>> SqliteStore::list_usage_people(
    MonthNo month,
    std::optional<UserNo> after,
    std::size_t limit
) {
    auto work = [month, after, limit](Connection& db) { return sqlite::list_usage_people(db, month, after, limit); };
    return read(std::move(work));
}

Task<Result<std::vector<UsageOfKey>>> SqliteStore::list_usage_keys(UserNo user, MonthNo month) {
    auto work = [user, month](Connection& db) { return sqlite::list_usage_keys(db, user, month); };
    return read(std::move(work));
}

Task<Result<std::vector<NamedUsageEntry>>> SqliteStore::list_ledger(
    std::optional<UserNo> user,
    LedgerPlace place,
    UnixSeconds until,
    std::size_t limit
) {
    auto work = [user, place, until, limit](Connection& db) {
        return sqlite::list_ledger(db, user, place, until, limit);
    };
    return read(std::move(work));
}

Task<Result<Limits>> SqliteStore::find_limits(LimitSubject subject) {
    auto work = [subject](Connection& db) { return sqlite::find_limits(db, subject); };
    return read(std::move(work));
}

Task<Status> SqliteStore::put_limits(LimitSubject subject, Limits limits) {
    auto work = [subject, limits](Connection& db) { return sqlite::put_limits(db, subject, limits); };
    return write(std::move(work));
}

Task<Result<Entitlement>> SqliteStore::find_entitlement(UserNo user, std::optional<KeyId> key, MonthNo month) {
    auto work = [user, key, month](Connection& db) { return sqlite::find_entitlement(db, user, key, month); };
    return read(std::move(work));
}

}  // namespace confab::store
