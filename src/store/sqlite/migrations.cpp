#include "store/sqlite/migrations.hpp"

#include <string_view>

#include "base/clock.hpp"
#include "base/log.hpp"

namespace confab::store::sqlite {

namespace {

// FNV-1a: guards against a slip, not against an attacker, who could write the table as well.
std::int64_t checksum_of(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
    return static_cast<std::int64_t>(hash);
}

std::unexpected<base::Error> refuse(std::string message) {
    return base::fail(base::Errc::internal, std::move(message), "schema_mismatch");
}

// Compares what was applied with what is known; returns how many of `migrations` were applied.
Result<std::size_t> check_applied(Connection& db, std::span<const Migration> migrations) {
    auto applied = db.use("SELECT version, checksum FROM schema_migrations ORDER BY version");
    std::size_t count = 0;
    for (;;) {
        TRY(const bool row, applied.step());
        if (!row) {
            return count;
        }
        const auto version = applied.integer(0);
        if (count == migrations.size()) {
            return refuse(
                "The database was made by a newer version of Confab (schema " + std::to_string(version) +
                "; this program knows " + std::to_string(count) + ")."
            );
        }
        const Migration& known = migrations[count++];
        if (known.version != version || checksum_of(known.sql) != applied.integer(1)) {
            return refuse(
                "Migration " + std::string(known.name) + " differs from the one this database was made with."
            );
        }
    }
}

Status apply(Connection& db, const Migration& migration) {
    TRY_VOID(db.run("BEGIN IMMEDIATE"));
    Status applied = db.run_script(migration.sql);
    if (applied) {
        applied = db.run(
            "INSERT INTO schema_migrations (version, checksum, applied_at) VALUES (?1, ?2, ?3)",
            migration.version,
            checksum_of(migration.sql),
            base::unix_now()
        );
    }
    if (applied) {
        applied = db.run("COMMIT");
    }
    if (!applied) {
        if (db.in_transaction()) {
            TRY_VOID(db.run("ROLLBACK"));
        }
        spdlog::error("migration failed name={}", migration.name);
        return applied;
    }
    spdlog::info("migration applied name={}", migration.name);
    return {};
}

}  // namespace

Status migrate(Connection& db, std::span<const Migration> migrations) {
    TRY_VOID(
        db.run("CREATE TABLE IF NOT EXISTS schema_migrations ("
               "version INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, applied_at INTEGER NOT NULL) STRICT")
    );
    TRY(const std::size_t done, check_applied(db, migrations));
    for (const Migration& migration : migrations.subspan(done)) {
        TRY_VOID(apply(db, migration));
    }
    return {};
}

}  // namespace confab::store::sqlite
