// FileLock: keeps other processes away from a database for as long as it lives.
#pragma once

#include <string>
#include <utility>

#include "base/error.hpp"

namespace confab::store {

class FileLock {
public:
    // Makes the file when it is missing. `unavailable` (database_in_use) when another process has it.
    static base::Result<FileLock> take(const std::string& path);

    FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

    FileLock& operator=(FileLock&&) = delete;
    ~FileLock();

private:
    explicit FileLock(int descriptor) : descriptor_(descriptor) {}

    int descriptor_;
};

// Of the database in this file.
inline std::string lock_path(const std::string& database_path) {
    return database_path + ".lock";
}

}  // namespace confab::store
