#include "store/sqlite/audit.hpp"

#include <limits>

#include "store/sqlite/accounts.hpp"

namespace confab::store::sqlite {

namespace {

constexpr std::size_t kAuditSweepRows = 2'000;  // of each kind in one call

#define AUDIT_COLUMNS "SELECT entry, at, kind, outcome, actor_no, actor, email, address, object, detail FROM audit_log "

AuditEntry read_audit(const Statement& row) {
    AuditEntry entry;
    entry.entry = row.integer(0);
    entry.at = row.integer(1);
    entry.kind = row.get<std::string>(2);
    entry.outcome = row.get<std::string>(3);
    entry.actor_no = row.get<UserNo>(4);
    entry.actor = row.get<std::string>(5);
    entry.email = row.get<std::string>(6);
    entry.address = row.get<std::string>(7);
    entry.object = row.get<std::string>(8);
    entry.detail = row.get<std::string>(9);
    return entry;
}

Statement find_audit(Connection& db, const AuditFilter& filter, std::size_t limit) {
    const std::int64_t before = filter.before.value_or(std::numeric_limits<std::int64_t>::max());
    if (filter.actor && filter.kind) {
        return db.use(
            AUDIT_COLUMNS "INDEXED BY audit_of_person WHERE actor = ?1 AND entry < ?2 AND kind = ?3 "
                          "ORDER BY entry DESC LIMIT ?4",
            *filter.actor,
            before,
            *filter.kind,
            limit
        );
    }
    if (filter.actor) {
        return db.use(
            AUDIT_COLUMNS "WHERE actor = ?1 AND entry < ?2 ORDER BY entry DESC LIMIT ?3", *filter.actor, before, limit
        );
    }
    if (filter.kind) {
        return db.use(
            AUDIT_COLUMNS "WHERE kind = ?1 AND entry < ?2 ORDER BY entry DESC LIMIT ?3", *filter.kind, before, limit
        );
    }
    return db.use(AUDIT_COLUMNS "WHERE entry < ?1 ORDER BY entry DESC LIMIT ?2", before, limit);
}

#undef AUDIT_COLUMNS

// Somebody who was deleted in the same request has no address any more.
Status name_actor(Connection& db, AuditEntry& entry) {
    if (static_cast<std::int64_t>(entry.actor_no) == 0) {
        return {};
    }
    auto found = db.use("SELECT id, email FROM users WHERE user_no = ?1", entry.actor_no);
    TRY(const bool row, found.step());
    if (row) {
        entry.actor = found.get<UserId>(0).str();
        entry.email = found.get<std::string>(1);
    }
    return {};
}

}  // namespace

Status add_audit(Connection& db, const AuditEntry& given) {
    AuditEntry entry = given;
    TRY_VOID(name_actor(db, entry));
    return db.run(
        "INSERT INTO audit_log (at, kind, outcome, actor_no, actor, email, address, object, detail) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        entry.at,
        entry.kind,
        entry.outcome,
        entry.actor_no,
        entry.actor,
        entry.email,
        entry.address,
        entry.object,
        entry.detail
    );
}

Result<AuditPage> list_audit(Connection& db, const AuditFilter& filter, std::size_t limit) {
    auto rows = find_audit(db, filter, limit + 1);
    AuditPage page;
    while (true) {
        TRY(const bool row, rows.step());
        page.has_more = row && page.rows.size() == limit;
        if (!row || page.has_more) {
            return page;
        }
        page.rows.push_back(read_audit(rows));
    }
}

Status sweep_audit(Connection& db, UnixSeconds now) {
    TRY_VOID(db.run(
        "DELETE FROM audit_log WHERE entry IN (SELECT entry FROM audit_log WHERE at < ?1 ORDER BY at LIMIT ?2)",
        now - kAuditKept,
        kAuditSweepRows
    ));
    return db.run(
        "DELETE FROM audit_log WHERE entry IN (SELECT entry FROM audit_log "
        "WHERE entry <= (SELECT max(entry) FROM audit_log) - ?1 ORDER BY entry LIMIT ?2)",
        kAuditRowsMax,
        kAuditSweepRows
    );
}

}  // namespace confab::store::sqlite
