#include "store/sqlite/files.hpp"

#include <optional>
#include <vector>

#include "base/log.hpp"
#include "store/blobs.hpp"
#include "store/sqlite/usage.hpp"

namespace confab::store::sqlite {

namespace {

constexpr int kBlobsPerStep = 16;  // removed at a time

#define FILE_COLUMNS                                                                              \
    "SELECT f.id, f.user_no, f.hash, b.bytes, b.media_type, f.filename, f.purpose, f.created_at " \
    "FROM files f JOIN blobs b ON b.hash = f.hash "

StoredFile read_file(const Statement& row) {
    StoredFile file;
    file.id = row.get<FileId>(0);
    file.user = row.get<UserNo>(1);
    file.hash = row.get<Sha256>(2);
    file.bytes = row.integer(3);
    file.media_type = row.get<std::string>(4);
    file.filename = row.get<std::string>(5);
    file.purpose = row.get<std::string>(6);
    file.created_at = row.integer(7);
    return file;
}

std::unexpected<base::Error> no_such_file(FileId id) {
    return base::not_found("File with id '" + id.str() + "' not found.", "file_not_found");
}

Status check_quota(Connection& db, const StoredFile& file) {
    auto found = db.use("SELECT bytes, files FROM file_usage WHERE user_no = ?1", file.user);
    TRY(const bool row, found.step());
    TRY(const std::int64_t bytes_max, storage_limit(db, file.user));
    const std::int64_t bytes = row ? found.integer(0) : 0;
    if (bytes + file.bytes > bytes_max || (row && found.integer(1) >= kUserFilesMax)) {
        return base::fail(
            base::Errc::rate_limited,
            "You have no room for this file: at most " + std::to_string(bytes_max >> 20) +
                " MiB and 10,000 files. Delete some first.",
            "file_quota_exceeded"
        );
    }
    return {};
}

// The oldest file of the user with the same bytes and purpose.
Result<std::optional<StoredFile>> find_same(Connection& db, const StoredFile& file) {
    auto found = db.use(
        FILE_COLUMNS "WHERE f.user_no = ?1 AND f.hash = ?2 AND f.purpose = ?3 LIMIT 1",
        file.user,
        file.hash,
        file.purpose
    );
    TRY(const bool row, found.step());
    return row ? std::optional(read_file(found)) : std::nullopt;
}

Status change_usage(Connection& db, UserNo user, std::int64_t bytes, int files) {
    return db.run(
        "INSERT INTO file_usage (user_no, bytes, files) VALUES (?1, ?2, ?3) "
        "ON CONFLICT (user_no) DO UPDATE SET bytes = bytes + excluded.bytes, files = files + excluded.files",
        user,
        bytes,
        files
    );
}

}  // namespace

Result<StoredFile> create_file(Connection& db, const std::string& blob_dir, const NewFile& given) {
    const StoredFile& file = given.file;
    if (given.reuse) {
        TRY(auto same, find_same(db, file));
        if (same) {
            return *std::move(same);
        }
    }
    TRY_VOID(check_quota(db, file));
    TRY_VOID(adopt_blob(blob_dir, given.temporary, file.hash));
    TRY_VOID(db.run(
        "INSERT INTO blobs (hash, bytes, media_type, refs) VALUES (?1, ?2, ?3, 1) "
        "ON CONFLICT (hash) DO UPDATE SET refs = refs + 1",
        file.hash,
        file.bytes,
        file.media_type
    ));
    TRY_VOID(db.run(
        "INSERT INTO files (id, user_no, hash, filename, purpose, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        file.id,
        file.user,
        file.hash,
        file.filename,
        file.purpose,
        file.created_at
    ));
    TRY_VOID(change_usage(db, file.user, file.bytes, 1));
    return file;
}

Result<StoredFile> find_file(Connection& db, UserNo user, FileId id) {
    auto found = db.use(FILE_COLUMNS "WHERE f.id = ?1 AND f.user_no = ?2", id, user);
    TRY(const bool row, found.step());
    if (!row) {
        return no_such_file(id);
    }
    return read_file(found);
}

Result<Page<StoredFile>> list_files(Connection& db, UserNo user, const PageRequest<FileId>& request) {
    FileId last;
    last.bytes.fill(request.order == Order::ascending ? 0x00 : 0xFF);
    const FileId after = request.after.value_or(last);
    auto rows = request.order == Order::ascending
                    ? db.use(
                          FILE_COLUMNS "WHERE f.user_no = ?1 AND f.id > ?2 ORDER BY f.id LIMIT ?3",
                          user,
                          after,
                          request.limit + 1
                      )
                    : db.use(
                          FILE_COLUMNS "WHERE f.user_no = ?1 AND f.id < ?2 ORDER BY f.id DESC LIMIT ?3",
                          user,
                          after,
                          request.limit + 1
                      );
    Page<StoredFile> page;
    while (true) {
        TRY(const bool row, rows.step());
        page.has_more = row && page.rows.size() == request.limit;
        if (!row || page.has_more) {
            return page;
        }
        page.rows.push_back(read_file(rows));
    }
}

Status delete_file(Connection& db, UserNo user, FileId id) {
    TRY(const StoredFile file, find_file(db, user, id));
    TRY_VOID(db.run("DELETE FROM files WHERE id = ?1", id));
    TRY_VOID(db.run("UPDATE blobs SET refs = refs - 1 WHERE hash = ?1", file.hash));
    return change_usage(db, user, -file.bytes, -1);
}

// ---- removing ----

Result<bool> BlobSweep::step(Connection& db) {
    TRY(const bool more, remove_unreferenced(db));
    if (next_folder_ < kBlobFolders) {
        TRY_VOID(remove_unknown(db, next_folder_++));
    }
    return more || next_folder_ < kBlobFolders;
}

// The name goes before the row: a row without bytes is removed again or gets them back, bytes without a row would stay.
Result<bool> BlobSweep::remove_unreferenced(Connection& db) {
    std::vector<Sha256> unreferenced;
    {
        auto rows = db.use("SELECT hash FROM blobs WHERE refs = 0 LIMIT ?1", kBlobsPerStep);
        for (;;) {
            TRY(const bool row, rows.step());
            if (!row) {
                break;
            }
            unreferenced.push_back(rows.get<Sha256>(0));
        }
    }
    for (const Sha256& hash : unreferenced) {
        TRY_VOID(remove_blob(blob_dir_, hash));
        TRY_VOID(db.run("DELETE FROM blobs WHERE hash = ?1 AND refs = 0", hash));
    }
    return unreferenced.size() == kBlobsPerStep;
}

// What a crash left between the renaming and the commit.
Status BlobSweep::remove_unknown(Connection& db, int folder) {
    return each_blob(blob_dir_, folder, [&](const Sha256& hash) -> Status {
        auto found = db.use("SELECT 1 FROM blobs WHERE hash = ?1", hash);
        TRY(const bool known, found.step());
        if (known) {
            return {};
        }
        spdlog::info("unknown_blob_removed hash={}", base::to_hex(hash));
        return remove_blob(blob_dir_, hash);
    });
}

}  // namespace confab::store::sqlite
