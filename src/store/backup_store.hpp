// BackupStore: a copy of the whole database as it is at one moment, made while the server works.
#pragma once

#include <memory>
#include <string>

#include "net/task.hpp"
#include "store/rows.hpp"

namespace confab::store {

// Keeps every blob on the disk for as long as it lives: what a copy of the database refers to is not removed meanwhile.
using BlobHold = std::shared_ptr<void>;

// A copy of the database being made. What is not whole when this object dies is of no use; the file stays.
class StoreCopy {
public:
    virtual ~StoreCopy() = default;

    // A few pages more; true: there is more. In the end the file holds everything committed before the last step; it is
    // not synced. Errors: storage_full, unavailable, internal.
    virtual net::Task<base::Result<bool>> step() = 0;
    virtual std::int64_t pages() const = 0;  // 0 before the first step
    virtual std::int64_t pages_done() const = 0;
};

class BackupStore {
public:
    virtual ~BackupStore() = default;

    virtual BlobHold hold_blobs() = 0;
    // Writes to `path`, a new file, in small steps between the writer's commits. To be dropped before the store stops.
    virtual std::unique_ptr<StoreCopy> copy_database(std::string path) = 0;
};

}  // namespace confab::store
