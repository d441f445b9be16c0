// Files and blobs in the database, and the disk kept in step with it.
#pragma once

#include <string>

#include "store/file_rows.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

// FileStore's calls. The first one also gives the temporary file its name in `blob_dir`: on the writer's thread, as
// BlobSweep's removing.
Result<StoredFile> create_file(Connection& db, const std::string& blob_dir, const NewFile& file);
Result<StoredFile> find_file(Connection& db, UserNo user, FileId id);
Result<Page<StoredFile>> list_files(Connection& db, UserNo user, const PageRequest<FileId>& request);
Status delete_file(Connection& db, UserNo user, FileId id);

// Removes blobs that nobody refers to: those that the database says so of, whenever there are some, and once after the
// start, folder by folder, those that it does not know. To be called in a transaction of its own (Writer's
// housekeeping), so that what it sees is committed.
class BlobSweep {
public:
    explicit BlobSweep(std::string blob_dir) : blob_dir_(std::move(blob_dir)) {}

    // One bounded step; true: there is more.
    Result<bool> step(Connection& db);

private:
    Result<bool> remove_unreferenced(Connection& db);
    Status remove_unknown(Connection& db, int folder);

    std::string blob_dir_;
    int next_folder_ = 0;
};

}  // namespace confab::store::sqlite
