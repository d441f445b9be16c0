// ImportStore: the jobs of imports, and their bulk writing. Errors of every call, besides those named, as of Store.
#pragma once

#include <vector>

#include "net/task.hpp"
#include "store/file_rows.hpp"
#include "store/import_rows.hpp"

namespace confab::store {

class ImportStore {
public:
    virtual ~ImportStore() = default;

    // Notes a job; `conflict` (import_running) while the user has an unfinished one.
    virtual net::Task<base::Status> begin_import(ImportJob job) = 0;
    // The upload is whole. `cancelled` when the job was cancelled meanwhile.
    virtual net::Task<base::Status> queue_import(ImportId id, std::int64_t bytes) = 0;
    virtual net::Task<base::Status> delete_import(ImportId id) = 0;
    // The oldest queued job, which is running now; nothing when there is none.
    virtual net::Task<base::Result<std::optional<ImportJob>>> claim_import() = 0;
    // False: the job is not running any more, for it was cancelled.
    virtual net::Task<base::Result<bool>> save_import(ImportId id, ImportProgress progress) = 0;
    // A job that was cancelled meanwhile stays so. What stayed half imported is wiped.
    virtual net::Task<base::Status> finish_import(ImportId id, ImportStatus status, ImportProgress progress) = 0;
    // Ends it; an ended one stays as it is. Returns it as it is then.
    virtual net::Task<base::Result<ImportJob>> cancel_import(UserNo user, ImportId id) = 0;
    virtual net::Task<base::Result<ImportJob>> find_import(UserNo user, ImportId id) = 0;
    virtual net::Task<base::Result<Page<ImportJob>>> list_imports(UserNo user, PageRequest<ImportId> request) = 0;
    // At the start: running jobs are queued again, uploads that broke off are forgotten, and what was half imported by
    // users without a job is wiped. Returns the queued jobs.
    virtual net::Task<base::Result<std::vector<ImportJob>>> recover_imports() = 0;

    // One operation of the writer, within the bounds of import_rows.hpp. Ids that are taken by others are replaced by
    // derived ones; what is there already is left alone, so that a repeated call adds nothing. A piece may be refused
    // by itself: `invalid_request` (conversation_locked) while an answer is being made there, `not_found` when it was
    // deleted between two pieces. `unavailable` (being_wiped): come again shortly.
    virtual net::Task<base::Result<std::vector<ImportedPiece>>> import_pieces(
        UserNo user,
        UserId user_id,
        std::vector<ImportPiece> pieces
    ) = 0;
    // The id under which a file with this one is to be known: itself when it is free or the user's, else a derived one.
    virtual net::Task<base::Result<FileId>> importable_file_id(UserNo user, UserId user_id, FileId id) = 0;
};

}  // namespace confab::store
