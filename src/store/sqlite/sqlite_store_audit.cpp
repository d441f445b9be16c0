// SqliteStore's calls about the audit log: each goes to the thread it belongs to.
#include "store/sqlite/audit.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::store {

using sqlite::Connection;

Task<Status> SqliteStore::add_audit(AuditEntry entry) {
    auto work = [entry = std::move(entry)](Connection& db) { return sqlite::add_audit(db, entry); };
    return write(std::move(work));
}

Task<Result<AuditPage>> SqliteStore::list_audit(AuditFilter filter, std::size_t limit) {
    auto work = [filter = std::move(filter), limit](Connection& db) { return sqlite::list_audit(db, filter, limit); };
    return read(std::move(work));
}

Task<Status> SqliteStore::sweep_audit(UnixSeconds now) {
    auto work = [now](Connection& db) { return sqlite::sweep_audit(db, now); };
    return write(std::move(work));
}

}  // namespace confab::store
