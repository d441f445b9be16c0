#include "store/sqlite/connection.hpp"

#include <malloc.h>

#include "base/log.hpp"

namespace confab::store::sqlite {

namespace {

// A statement that waits longer for another process's lock answers `unavailable`.
constexpr int kBusyMilliseconds = 2'000;

// Steps of SQLite's virtual machine between two looks at the deadline: some 50 us.
constexpr int kStepsPerLook = 1'000;

// Settings of every connection, see store.md "The SQLite engine". secure_delete: what is deleted is overwritten with
// zeros. cache_size: the caches of all connections together stay below the 8 MiB that a long history may add to the
// memory; what is not in them comes from the system's.
constexpr const char* kPragmas =
    "PRAGMA mmap_size = 0;"
    "PRAGMA cache_size = -1500;"
    "PRAGMA temp_store = FILE;"
    "PRAGMA trusted_schema = 0;"
    "PRAGMA foreign_keys = ON;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA secure_delete = ON;";

constexpr const char* kWriterPragmas =
    "PRAGMA cache_size = -3000;"
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = FULL;"
    "PRAGMA wal_autocheckpoint = 0;";

}  // namespace

Connection::Connection(sqlite3* handle, meter::StoreCounters& counters)
    : handle_(handle), counters_(counters), live_(counters.connections_live) {
    counters_.connections_opened.add();
}

Connection::~Connection() {
    for (const auto& [text, prepared] : statements_) {
        sqlite3_finalize(prepared.handle);
        counters_.statements_live.add(-1);
    }
    CONFAB_ASSERT(sqlite3_close(handle_) == SQLITE_OK);
}

Result<std::unique_ptr<Connection>> Connection::open(
    const std::string& path,
    Access access,
    meter::StoreCounters& counters
) {
    const int mode = access == Access::read_write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    sqlite3* handle = nullptr;
    const int code =
        sqlite3_open_v2(path.c_str(), &handle, mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    if (code != SQLITE_OK) {
        std::string message =
            "Cannot open the database " + path + ": " + (handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code)) + ".";
        sqlite3_close(handle);
        return base::fail(base::Errc::internal, std::move(message));
    }
    std::unique_ptr<Connection> connection(new Connection(handle, counters));
    TRY_VOID(connection->configure(access));
    return connection;
}

Status Connection::configure(Access access) {
    sqlite3_busy_timeout(handle_, kBusyMilliseconds);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    TRY_VOID(run_script(kPragmas));
    if (access == Access::read_write) {
        TRY_VOID(run_script(kWriterPragmas));
        // After the pragma: SQLite keeps one hook, and its automatic checkpoints are one.
        sqlite3_wal_hook(
            handle_,
            [](void* self, sqlite3*, const char*, int pages) {
                static_cast<Connection*>(self)->wal_pages_ = pages;
                return SQLITE_OK;
            },
            this
        );
    }
    sqlite3_progress_handler(
        handle_,
        kStepsPerLook,
        [](void* self) {
            const auto& deadline = static_cast<Connection*>(self)->deadline_;
            return deadline && std::chrono::steady_clock::now() > *deadline ? 1 : 0;
        },
        this
    );
    return {};
}

Connection::Lookup Connection::prepare(Sql sql) {
    const auto [entry, fresh] = statements_.try_emplace(sql.text());
    if (!fresh) {
        counters_.statements_reused.add();
        return {&entry->second, SQLITE_OK};
    }
    const int code =
        sqlite3_prepare_v3(handle_, sql.text(), -1, SQLITE_PREPARE_PERSISTENT, &entry->second.handle, nullptr);
    if (code != SQLITE_OK) {
        statements_.erase(entry);
        return {nullptr, code};
    }
    counters_.statements_prepared.add();
    counters_.statements_live.add(1);
    return {&entry->second, SQLITE_OK};
}

Status Connection::run_script(const std::string& sql) {
    const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
        return std::unexpected(error_of(code));
    }
    return {};
}

Result<std::string> Connection::read_body_head(std::int64_t mid, std::size_t bytes_max) {
    sqlite3_blob* blob = nullptr;
    const int opened = sqlite3_blob_open(handle_, "main", "bodies", "body", mid, 0, &blob);
    if (opened != SQLITE_OK) {
        sqlite3_blob_close(blob);
        return std::unexpected(error_of(opened));
    }
    std::string head(std::min(bytes_max, static_cast<std::size_t>(sqlite3_blob_bytes(blob))), '\0');
    const int code = sqlite3_blob_read(blob, head.data(), static_cast<int>(head.size()), 0);
    sqlite3_blob_close(blob);
    if (code != SQLITE_OK) {
        return std::unexpected(error_of(code));
    }
    return head;
}

Result<bool> Connection::checkpoint(Checkpoint kind) {
    const int mode = kind == Checkpoint::passive ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE;
    int pages = 0;
    int pages_moved = 0;
    const int code = sqlite3_wal_checkpoint_v2(handle_, nullptr, mode, &pages, &pages_moved);
    if (code == SQLITE_BUSY) {
        return false;
    }
    if (code != SQLITE_OK) {
        return std::unexpected(error_of(code));
    }
    if (pages == pages_moved) {
        wal_pages_ = 0;  // the next commit starts over at the log's beginning
    }
    return pages == pages_moved;
}

void Connection::release_cache() {
    sqlite3_db_release_memory(handle_);
    ::malloc_trim(0);
}

base::Error Connection::error_of(int code) {
    last_failure_ = code;
    // Opening on a full disk: the file that the connections share cannot be made.
    const bool no_room = (code == SQLITE_IOERR_SHMOPEN || code == SQLITE_IOERR_SHMSIZE) && handle_ != nullptr &&
                         sqlite3_system_errno(handle_) == ENOSPC;
    switch (no_room ? SQLITE_FULL : code & 0xFF) {
        case SQLITE_FULL:
            return {base::Errc::storage_full, "The server's disk is full. Nothing was saved.", "storage_full", {}, {}};
        case SQLITE_INTERRUPT:
            counters_.read_timeouts.add();
            return {base::Errc::unavailable, "Reading took too long. Try again.", "read_timeout", {}, {}};
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return {base::Errc::unavailable, "The database is busy. Try again shortly.", "database_busy", {}, {}};
        case SQLITE_CONSTRAINT:
            if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY) {
                return {base::Errc::conflict, "Something with this id exists already.", "already_exists", {}, {}};
            }
            break;
        default: break;
    }
    spdlog::error("sqlite failed code={} message=\"{}\"", code, sqlite3_errmsg(handle_));
    return {base::Errc::internal, "The database failed.", {}, {}, {}};
}

}  // namespace confab::store::sqlite
