// Restore: a backup's archive becomes a data directory. Blocking; for the command line.
#pragma once

#include <functional>
#include <string>

#include "base/error.hpp"

namespace confab::transfer {

struct RestoreResult {
    std::int64_t images = 0;
    std::string moved_to;  // where what was there before is; empty: nothing was there
};

// Unpacks beside the place, checks everything (sizes, hashes, the database, that nothing is missing), and only then
// moves it there. Errors: conflict (not_empty) when the directory holds a database and `force` is off, unavailable
// (database_in_use), invalid_request (not_a_backup, backup_damaged), storage_full, internal.
base::Result<RestoreResult> restore_backup(
    const std::string& archive,
    const std::string& data_dir,
    bool force,
    const std::function<void(const std::string& what)>& progress
);

}  // namespace confab::transfer
