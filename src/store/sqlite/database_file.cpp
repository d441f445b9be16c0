#include "store/database_file.hpp"

#include "store/sqlite/connection.hpp"
#include "store/sqlite/migrations.hpp"

namespace confab::store {

namespace {

using base::Result;
using sqlite::Access;
using sqlite::Connection;

Result<std::unique_ptr<Connection>> open(const std::string& path, meter::StoreCounters& counters) {
    return Connection::open(path, Access::read_write, counters);
}

base::Status check_quickly(Connection& db) {
    auto check = db.use("PRAGMA quick_check(1)");
    TRY(const bool row, check.step());
    if (!row || check.get<std::string>(0) != "ok") {
        return base::fail(
            base::Errc::internal,
            "The database is damaged: " + (row ? check.get<std::string>(0) : "no answer") + ".",
            "database_damaged"
        );
    }
    return {};
}

}  // namespace

Result<DatabaseFacts> settle_database(const std::string& path) {
    meter::StoreCounters counters;
    TRY(const auto db, open(path, counters));
    TRY_VOID(db->run_script("PRAGMA journal_mode = DELETE"));
    TRY_VOID(check_quickly(*db));
    DatabaseFacts facts;
    {
        auto newest = db->use("SELECT max(version) FROM schema_migrations");
        TRY(const bool row, newest.step());
        facts.schema = row ? newest.integer(0) : 0;
    }
    if (facts.schema > sqlite::embedded_migrations().back().version) {
        return base::fail(
            base::Errc::internal, "The database was made by a newer version of Confab.", "schema_mismatch"
        );
    }
    auto sums = db->use("SELECT count(*), coalesce(sum(bytes), 0) FROM blobs WHERE refs > 0");
    TRY(const bool row, sums.step());
    CONFAB_ASSERT(row);
    facts.blobs = sums.integer(0);
    facts.blob_bytes = sums.integer(1);
    return facts;
}

Result<std::vector<BlobEntry>> list_blobs(const std::string& path, const std::optional<Sha256>& after) {
    meter::StoreCounters counters;
    TRY(const auto db, Connection::open(path, Access::read_only, counters));
    auto rows = db->use(
        "SELECT hash, bytes FROM blobs WHERE hash > ?1 AND refs > 0 ORDER BY hash LIMIT ?2",
        after.value_or(Sha256{}),
        kBlobEntriesPerPage
    );
    std::vector<BlobEntry> entries;
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            return entries;
        }
        entries.push_back({rows.get<Sha256>(0), rows.integer(1)});
    }
}

}  // namespace confab::store
