// DatabaseCopy: SQLite's online backup with the writer's connection as its source. What the writer commits between two
// steps goes into the copy as well, so that a copy never begins anew. All on the writer's thread.
#pragma once

#include <atomic>
#include <string>

#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

inline constexpr int kCopyPagesPerStep = 100;  // between two commits

class DatabaseCopy {
public:
    explicit DatabaseCopy(std::string path) : path_(std::move(path)) {}

    DatabaseCopy(const DatabaseCopy&) = delete;
    DatabaseCopy& operator=(const DatabaseCopy&) = delete;

    ~DatabaseCopy() { end(); }

    // True: there is more. After false, or an error, the copy is ended.
    Result<bool> step(Connection& source);

    // Closes the file; whatever is missing stays missing. May be called again.
    void end();

    std::int64_t pages() const { return pages_; }

    std::int64_t pages_done() const { return pages_done_; }

private:
    Status begin(Connection& source);

    const std::string path_;
    sqlite3* target_ = nullptr;
    sqlite3_backup* backup_ = nullptr;
    bool ended_ = false;
    std::atomic<std::int64_t> pages_{0};
    std::atomic<std::int64_t> pages_done_{0};
};

}  // namespace confab::store::sqlite
