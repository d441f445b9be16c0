// SqliteStore's calls about files: each goes to the thread it belongs to.
#include "store/sqlite/files.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::store {

using sqlite::Connection;

Task<Result<StoredFile>> SqliteStore::create_file(NewFile file) {
    auto work = [dir = blob_dir_, file = std::move(file)](Connection& db) {
        return sqlite::create_file(db, dir, file);
    };
    return write(std::move(work));
}

Task<Result<StoredFile>> SqliteStore::find_file(UserNo user, FileId id) {
    auto work = [user, id](Connection& db) { return sqlite::find_file(db, user, id); };
    return read(std::move(work));
}

Task<Result<Page<StoredFile>>> SqliteStore::list_files(UserNo user, PageRequest<FileId> request) {
    auto work = [user, request](Connection& db) { return sqlite::list_files(db, user, request); };
    return read(std::move(work));
}

Task<Status> SqliteStore::delete_file(UserNo user, FileId id) {
    auto work = [user, id](Connection& db) { return sqlite::delete_file(db, user, id); };
    return write(std::move(work));
}

}  // namespace confab::store
