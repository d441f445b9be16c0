#include "base/clock.hpp"
#include "store/sqlite/imports.hpp"

namespace confab::store::sqlite {

namespace {

#define IMPORT_COLUMNS                                                                                      \
    "SELECT id, user_no, status, filename, path, format, bytes, bytes_read, conversations, messages, "     \
    "skipped, problems, problems_total, created_at, finished_at FROM imports "

ImportJob read_job(const Statement& row) {
    ImportJob job;
    job.id = row.get<ImportId>(0);
    job.user = row.get<UserNo>(1);
    job.status = row.get<ImportStatus>(2);
    job.filename = row.get<std::string>(3);
    job.path = row.get<std::string>(4);
    job.progress.format = row.get<std::string>(5);
    job.bytes = row.integer(6);
    job.progress.bytes_read = row.integer(7);
    job.progress.conversations = row.integer(8);
    job.progress.messages = row.integer(9);
    job.progress.skipped = row.integer(10);
    job.progress.problems = row.get<std::string>(11);
    job.progress.problems_total = row.integer(12);
    job.created_at = row.integer(13);
    job.finished_at = row.get<std::optional<UnixSeconds>>(14);
    return job;
}

Status write_progress(Connection& db, ImportId id, const ImportProgress& progress) {
    return db.run(
        "UPDATE imports SET format = ?2, bytes_read = ?3, conversations = ?4, messages = ?5, skipped = ?6, problems = "
        "?7, problems_total = ?8 WHERE id = ?1",
        id,
        progress.format,
        progress.bytes_read,
        progress.conversations,
        progress.messages,
        progress.skipped,
        progress.problems,
        progress.problems_total
    );
}

// What never became whole goes, and its ids are free again. Not while the user has another import, whose it may be.
Status wipe_half_imported(Connection& db, UserNo user) {
    return db.run(
        "UPDATE conversations SET deleted_at = ?2, wiping = 1 WHERE user_no = ?1 AND hidden = 2 AND deleted_at IS NULL "
        "AND NOT EXISTS (SELECT 1 FROM imports WHERE user_no = ?1 AND status < 3)",
        user,
        base::unix_now()
    );
}

Result<bool> is_running(Connection& db, ImportId id) {
    auto found = db.use("SELECT 1 FROM imports WHERE id = ?1 AND status = ?2", id, ImportStatus::running);
    return found.step();
}

}  // namespace

Status begin_import(Connection& db, const ImportJob& job) {
    {
        auto found = db.use("SELECT 1 FROM imports WHERE user_no = ?1 AND status < 3", job.user);
        TRY(const bool row, found.step());
        if (row) {
            return base::fail(
                base::Errc::conflict, "Another import of yours is under way. Wait for it or cancel it.", "import_running"
            );
        }
    }
    TRY_VOID(db.run(
        "DELETE FROM imports WHERE user_no = ?1 AND id <= (SELECT id FROM imports WHERE user_no = ?1 ORDER BY id DESC "
        "LIMIT 1 OFFSET ?2)",
        job.user,
        kImportsKeptMax
    ));
    return db.run(
        "INSERT INTO imports (id, user_no, status, filename, path, bytes, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, "
        "?7)",
        job.id,
        job.user,
        job.status,
        job.filename,
        job.path,
        job.bytes,
        job.created_at
    );
}

Status queue_import(Connection& db, ImportId id, std::int64_t bytes) {
    TRY_VOID(db.run(
        "UPDATE imports SET status = ?2, bytes = ?3 WHERE id = ?1 AND status = ?4",
        id,
        ImportStatus::queued,
        bytes,
        ImportStatus::receiving
    ));
    if (db.changed_rows() == 0) {
        return base::fail(base::Errc::conflict, "The import was cancelled.", "import_cancelled");
    }
    return {};
}

Status delete_import(Connection& db, ImportId id) {
    return db.run("DELETE FROM imports WHERE id = ?1", id);
}

Result<std::optional<ImportJob>> claim_import(Connection& db) {
    auto found = db.use(IMPORT_COLUMNS "WHERE status < 3 AND status = ?1 ORDER BY id LIMIT 1", ImportStatus::queued);
    TRY(const bool row, found.step());
    if (!row) {
        return std::nullopt;
    }
    ImportJob job = read_job(found);
    job.status = ImportStatus::running;
    TRY_VOID(db.run("UPDATE imports SET status = ?2 WHERE id = ?1", job.id, job.status));
    return job;
}

Result<bool> save_import(Connection& db, ImportId id, const ImportProgress& progress) {
    TRY(const bool running, is_running(db, id));
    if (running) {
        TRY_VOID(write_progress(db, id, progress));
    }
    return running;
}

Status finish_import(Connection& db, ImportId id, ImportStatus status, const ImportProgress& progress) {
    TRY(const bool running, is_running(db, id));
    TRY_VOID(write_progress(db, id, progress));
    if (running) {
        TRY_VOID(db.run(
            "UPDATE imports SET status = ?2, finished_at = ?3 WHERE id = ?1", id, status, base::unix_now()
        ));
    }
    UserNo user{};
    {
        auto found = db.use("SELECT user_no FROM imports WHERE id = ?1", id);
        TRY(const bool row, found.step());
        if (!row) {
            return {};
        }
        user = found.get<UserNo>(0);
    }
    return wipe_half_imported(db, user);
}

Result<ImportJob> cancel_import(Connection& db, UserNo user, ImportId id) {
    TRY_VOID(db.run(
        "UPDATE imports SET status = ?3, finished_at = ?4 WHERE id = ?1 AND user_no = ?2 AND status < 3",
        id,
        user,
        ImportStatus::cancelled,
        base::unix_now()
    ));
    return find_import(db, user, id);
}

Result<ImportJob> find_import(Connection& db, UserNo user, ImportId id) {
    auto found = db.use(IMPORT_COLUMNS "WHERE id = ?1 AND user_no = ?2", id, user);
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("There is no such import.", "import_not_found");
    }
    return read_job(found);
}

Result<Page<ImportJob>> list_imports(Connection& db, UserNo user, const PageRequest<ImportId>& request) {
    ImportId last;
    last.bytes.fill(request.order == Order::ascending ? 0x00 : 0xFF);
    const ImportId after = request.after.value_or(last);
    auto rows =
        request.order == Order::ascending
            ? db.use(IMPORT_COLUMNS "WHERE user_no = ?1 AND id > ?2 ORDER BY id LIMIT ?3", user, after, request.limit + 1)
            : db.use(
                  IMPORT_COLUMNS "WHERE user_no = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
                  user,
                  after,
                  request.limit + 1
              );
    Page<ImportJob> page;
    while (true) {
        TRY(const bool row, rows.step());
        page.has_more = row && page.rows.size() == request.limit;
        if (!row || page.has_more) {
            return page;
        }
        page.rows.push_back(read_job(rows));
    }
}

Result<std::vector<ImportJob>> recover_imports(Connection& db) {
    TRY_VOID(db.run("DELETE FROM imports WHERE status < 3 AND status = ?1", ImportStatus::receiving));
    TRY_VOID(db.run(
        "UPDATE imports SET status = ?2 WHERE status < 3 AND status = ?1", ImportStatus::running, ImportStatus::queued
    ));
    TRY_VOID(db.run(
        "UPDATE conversations SET deleted_at = ?1, wiping = 1 WHERE hidden = 2 AND deleted_at IS NULL "
        "AND user_no NOT IN (SELECT user_no FROM imports WHERE status < 3)",
        base::unix_now()
    ));
    std::vector<ImportJob> queued;
    auto rows = db.use(IMPORT_COLUMNS "WHERE status < 3 ORDER BY id");
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            return queued;
        }
        queued.push_back(read_job(rows));
    }
}

#undef IMPORT_COLUMNS

}  // namespace confab::store::sqlite
