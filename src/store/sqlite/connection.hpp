// Connection: one open database handle with its statement cache.
//
// Owned and used by one thread at a time (SQLITE_OPEN_NOMUTEX): the writer's by its thread, each reader's by its pool
// thread. It lives as long as the store; every statement is prepared once and reused, which StoreCounters proves.
// Exactly one connection is opened read_write (SQLite's WAL-reset race needs two that write or checkpoint).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/error.hpp"
#include "meter/counters.hpp"
#include "store/sqlite/statement.hpp"

namespace confab::store::sqlite {

enum class Access : std::uint8_t { read_write, read_only };
enum class Checkpoint : std::uint8_t { passive, truncate };

class Connection {
public:
    static Result<std::unique_ptr<Connection>> open(
        const std::string& path,
        Access access,
        meter::StoreCounters& counters
    );
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    // Borrows the statement with its parameters bound. Using one while it is in use already is a broken invariant.
    template <class... Args>
    Statement use(Sql sql, const Args&... args) {
        const auto [prepared, code] = prepare(sql);
        return Statement(*this, prepared, code, args...);
    }

    // Runs a statement that gives no rows.
    template <class... Args>
    Status run(Sql sql, const Args&... args) {
        const auto [prepared, code] = prepare(sql);
        return Statement(*this, prepared, code, args...).finish();
    }

    // Several statements separated by semicolons, not cached; for migrations and pragmas.
    Status run_script(const std::string& sql);

    // The first `bytes_max` bytes of a message body, without reading the rest.
    Result<std::string> read_body_head(std::int64_t mid, std::size_t bytes_max);

    // Rows changed by the last statement, and the key of the last row inserted.
    std::int64_t changed_rows() const { return sqlite3_changes64(handle_); }

    std::int64_t inserted_key() const { return sqlite3_last_insert_rowid(handle_); }

    bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

    // Statements that run past it are interrupted and answer `unavailable`.
    void set_deadline(std::optional<std::chrono::steady_clock::time_point> deadline) { deadline_ = deadline; }

    // Bytes of the write-ahead log that hold commits, known after a commit of this connection.
    std::int64_t wal_bytes() const { return wal_pages_ * kWalFrameBytes; }

    // True: all of the log is in the database file now. Writer only.
    Result<bool> checkpoint(Checkpoint kind);

    // Gives back the memory of the page cache, to the system too. What is read again comes from the system's cache.
    void release_cache();

    // Extended code of the last failed call; SQLITE_OK when none failed yet.
    int last_failure() const { return last_failure_; }

    // The error that callers get; details go to the log only.
    base::Error error_of(int code);

    sqlite3* handle() { return handle_; }

    meter::StoreCounters& counters() { return counters_; }

private:
    Connection(sqlite3* handle, meter::StoreCounters& counters);

    struct Lookup {
        PreparedStatement* prepared;
        int code;
    };

    Lookup prepare(Sql sql);
    Status configure(Access access);

    static constexpr std::int64_t kWalFrameBytes = 4096 + 24;

    sqlite3* handle_;
    meter::StoreCounters& counters_;
    meter::LiveHandle live_;
    std::unordered_map<const char*, PreparedStatement> statements_;
    std::optional<std::chrono::steady_clock::time_point> deadline_;
    std::int64_t wal_pages_ = 0;
    int last_failure_ = SQLITE_OK;
};

}  // namespace confab::store::sqlite
