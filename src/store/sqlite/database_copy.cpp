#include "store/sqlite/database_copy.hpp"

#include "base/log.hpp"

namespace confab::store::sqlite {

namespace {

// Not by the source's error_of: nothing is wrong with the source.
std::unexpected<base::Error> copy_failed(int code) {
    if ((code & 0xFF) == SQLITE_FULL) {
        return base::fail(base::Errc::storage_full, "There is no room for a copy of the database.", "storage_full");
    }
    spdlog::error("database_copy_failed code={} message=\"{}\"", code, sqlite3_errstr(code));
    return base::fail(base::Errc::internal, std::string("The database could not be copied: ") + sqlite3_errstr(code));
}

}  // namespace

Status DatabaseCopy::begin(Connection& source) {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(path_.c_str(), &target_, flags, nullptr);
    if (code == SQLITE_OK) {
        // A copy that breaks off is thrown away: no journal, and its reader syncs what it keeps.
        code = sqlite3_exec(target_, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;", nullptr, nullptr, nullptr);
    }
    if (code != SQLITE_OK) {
        return copy_failed(code);
    }
    backup_ = sqlite3_backup_init(target_, "main", source.handle(), "main");
    if (backup_ == nullptr) {
        return copy_failed(sqlite3_extended_errcode(target_));
    }
    return {};
}

Result<bool> DatabaseCopy::step(Connection& source) {
    if (ended_) {
        return false;
    }
    if (backup_ == nullptr) {
        if (Status begun = begin(source); !begun) {
            end();
            return std::unexpected(begun.error());
        }
    }
    const int code = sqlite3_backup_step(backup_, kCopyPagesPerStep);
    pages_ = sqlite3_backup_pagecount(backup_);
    pages_done_ = pages_ - sqlite3_backup_remaining(backup_);
    if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED) {
        return true;
    }
    end();
    if (code != SQLITE_DONE) {
        return copy_failed(code);
    }
    return false;
}

void DatabaseCopy::end() {
    ended_ = true;
    sqlite3_backup_finish(std::exchange(backup_, nullptr));
    sqlite3_close(std::exchange(target_, nullptr));
}

}  // namespace confab::store::sqlite
