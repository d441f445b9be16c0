// SqliteStore's calls about imports: each goes to the thread it belongs to.
#include "store/sqlite/imports.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::store {

using sqlite::Connection;

Task<Status> SqliteStore::begin_import(ImportJob job) {
    auto work = [job = std::move(job)](Connection& db) { return sqlite::begin_import(db, job); };
    return write(std::move(work));
}

Task<Status> SqliteStore::queue_import(ImportId id, std::int64_t bytes) {
    auto work = [id, bytes](Connection& db) { return sqlite::queue_import(db, id, bytes); };
    return write(std::move(work));
}

Task<Status> SqliteStore::delete_import(ImportId id) {
    auto work = [id](Connection& db) { return sqlite::delete_import(db, id); };
    return write(std::move(work));
}

Task<Result<std::optional<ImportJob>>> SqliteStore::claim_import() {
    auto work = [](Connection& db) { return sqlite::claim_import(db); };
    return write(std::move(work));
}

Task<Result<bool>> SqliteStore::save_import(ImportId id, ImportProgress progress) {
    auto work = [id, progress = std::move(progress)](Connection& db) { return sqlite::save_import(db, id, progress); };
    return write(std::move(work));
}

Task<Status> SqliteStore::finish_import(ImportId id, ImportStatus status, ImportProgress progress) {
    auto work = [id, status, progress = std::move(progress)](Connection& db) {
        return sqlite::finish_import(db, id, status, progress);
    };
    return write(std::move(work));
}

Task<Result<ImportJob>> SqliteStore::cancel_import(UserNo user, ImportId id) {
    auto work = [user, id](Connection& db) { return sqlite::cancel_import(db, user, id); };
    return write(std::move(work));
}

Task<Result<ImportJob>> SqliteStore::find_import(UserNo user, ImportId id) {
    auto work = [user, id](Connection& db) { return sqlite::find_import(db, user, id); };
    return read(std::move(work));
}

Task<Result<Page<ImportJob>>> SqliteStore::list_imports(UserNo user, PageRequest<ImportId> request) {
    auto work = [user, request](Connection& db) { return sqlite::list_imports(db, user, request); };
    return read(std::move(work));
}

Task<Result<std::vector<ImportJob>>> SqliteStore::recover_imports() {
    auto work = [](Connection& db) { return sqlite::recover_imports(db); };
    return write(std::move(work));
}

Task<Result<std::vector<ImportedPiece>>> SqliteStore::import_pieces(
    UserNo user,
    UserId user_id,
    std::vector<ImportPiece> pieces
) {
    auto work = [user, user_id, pieces = std::move(pieces)](Connection& db) {
        return sqlite::import_pieces(db, user, user_id, pieces);
    };
    return write(std::move(work));
}

Task<Result<FileId>> SqliteStore::importable_file_id(UserNo user, UserId user_id, FileId id) {
    auto work = [user, user_id, id](Connection& db) { return sqlite::importable_file_id(db, user, user_id, id); };
    return read(std::move(work));
}

}  // namespace confab::store
