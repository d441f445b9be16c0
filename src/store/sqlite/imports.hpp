// Imports: the jobs, and the writing of what they bring. The meaning of each call is that of ImportStore.
#pragma once

#include <vector>

#include "store/file_rows.hpp"
#include "store/import_rows.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

Status begin_import(Connection& db, const ImportJob& job);
Status queue_import(Connection& db, ImportId id, std::int64_t bytes);
Status delete_import(Connection& db, ImportId id);
Result<std::optional<ImportJob>> claim_import(Connection& db);
Result<bool> save_import(Connection& db, ImportId id, const ImportProgress& progress);
Status finish_import(Connection& db, ImportId id, ImportStatus status, const ImportProgress& progress);
Result<ImportJob> cancel_import(Connection& db, UserNo user, ImportId id);
Result<ImportJob> find_import(Connection& db, UserNo user, ImportId id);
Result<Page<ImportJob>> list_imports(Connection& db, UserNo user, const PageRequest<ImportId>& request);
Result<std::vector<ImportJob>> recover_imports(Connection& db);

Result<std::vector<ImportedPiece>> import_pieces(
    Connection& db,
    UserNo user,
    UserId user_id,
    const std::vector<ImportPiece>& pieces
);
Result<FileId> importable_file_id(Connection& db, UserNo user, UserId user_id, FileId id);

}  // namespace confab::store::sqlite
