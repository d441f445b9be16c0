#include "store/checkup.hpp"

#include <array>
#include <filesystem>

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include "store/blobs.hpp"
#include "store/database_file.hpp"
#include "store/file_lock.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/migrations.hpp"

namespace confab::store {

namespace {

using base::Result;
using base::Status;
using sqlite::Connection;
using Progress = std::function<void(const std::string&)>;

constexpr const char* kRestoreAdvice = "Restore the newest good backup: confab restore FILE --force";
constexpr std::size_t kFilesNamedMax = 10;
constexpr std::size_t kCheckedPieceBytes = 256 * 1024;

// A statement that counts the rows which break a rule.
struct Rule {
    const char* what;
    sqlite::Sql broken;
};

// Conversations being wiped lose their rows bit by bit: they are left out.
#define NOT_WIPING(conv) conv " NOT IN (SELECT conv FROM conversations WHERE wiping = 1)"

constexpr std::array kRules{
    Rule{"items without a text", "SELECT count(*) FROM items i LEFT JOIN bodies b ON b.mid = i.mid WHERE b.mid IS NULL"},
    Rule{
        "texts without their item",
        "SELECT count(*) FROM bodies b LEFT JOIN items i ON i.conv = b.conv AND i.br = b.br AND i.pos = b.pos "
        "WHERE i.mid IS NOT b.mid"
    },
    Rule{
        "items whose size is not that of their text",
        "SELECT count(*) FROM items i JOIN bodies b ON b.mid = i.mid WHERE i.bytes <> length(b.body)"
    },
    Rule{
        "items without a conversation or a branch",
        "SELECT count(*) FROM items i LEFT JOIN branches b ON b.conv = i.conv AND b.br = i.br "
        "WHERE b.br IS NULL AND " NOT_WIPING("i.conv")
    },
    Rule{
        "branches that do not end at their newest item",
        "SELECT count(*) FROM branches b WHERE " NOT_WIPING("b.conv"
        ) " AND b.head_pos <> coalesce((SELECT max(pos) FROM items i WHERE i.conv = b.conv AND i.br = b.br), b.fork_pos)"
    },
    Rule{
        "branches that continue one that is not there",
        "SELECT count(*) FROM branches b LEFT JOIN branches p ON p.conv = b.conv AND p.br = b.parent_br "
        "WHERE b.parent_br <> 0 AND (p.br IS NULL OR p.br >= b.br) AND " NOT_WIPING("b.conv")
    },
    Rule{
        "items out of order, or with wrong running totals",
        "SELECT count(*) FROM (SELECT conv, br, pos, tok, cum_tok, lag(pos) OVER w AS before_pos, lag(cum_tok) OVER w AS "
        "before_tok FROM items WINDOW w AS (PARTITION BY conv, br ORDER BY pos)) "
        "WHERE before_pos IS NOT NULL AND (pos <> before_pos + 1 OR cum_tok <> before_tok + tok) AND " NOT_WIPING("conv")
    },
    Rule{
        "conversations without their active branch",
        "SELECT count(*) FROM conversations c LEFT JOIN branches b ON b.conv = c.conv AND b.br = c.active_br "
        "WHERE b.br IS NULL AND c.deleted_at IS NULL"
    },
    Rule{
        "conversations of nobody",
        "SELECT count(*) FROM conversations c LEFT JOIN users u ON u.user_no = c.user_no WHERE u.user_no IS NULL"
    },
    Rule{
        "images whose number of users is wrong",
        "SELECT count(*) FROM blobs b LEFT JOIN (SELECT hash, count(*) AS n FROM files GROUP BY hash) f ON f.hash = b.hash "
        "WHERE b.refs <> coalesce(f.n, 0)"
    },
    Rule{
        "files without an image", "SELECT count(*) FROM files f LEFT JOIN blobs b ON b.hash = f.hash WHERE b.hash IS NULL"
    },
};
#undef NOT_WIPING

class Checkup {
public:
    Checkup(Connection& db, std::string blob_dir, std::string database, const Progress& progress)
        : db_(db), blob_dir_(std::move(blob_dir)), database_(std::move(database)), progress_(progress) {}

    Result<std::vector<Finding>> run() {
        TRY_VOID(check_pages());
        if (findings_.empty()) {  // with damaged pages the rest says nothing
            TRY_VOID(check_schema());
            TRY_VOID(check_rules());
            TRY_VOID(check_runs());
            TRY_VOID(check_search());
            TRY_VOID(check_blobs());
        }
        return std::move(findings_);
    }

private:
    void add(std::string what, std::string advice) { findings_.push_back({true, std::move(what), std::move(advice)}); }

    Status check_pages();
    Status check_schema();
    Status check_rules();
    Status check_runs();
    Status check_search();
    Status check_blobs();
    Result<std::string> defect_of(const BlobEntry& blob) const;

    Connection& db_;
    const std::string blob_dir_;
    const std::string database_;
    const Progress& progress_;
    std::vector<Finding> findings_;
};

Status Checkup::check_pages() {
    progress_("every page of the database");
    auto check = db_.use("PRAGMA integrity_check(20)");
    for (;;) {
        const auto row = check.step();
        if (!row) {
            add("the database file is damaged and cannot be read", kRestoreAdvice);
            return {};
        }
        if (!*row) {
            return {};
        }
        if (const auto line = check.get<std::string>(0); line != "ok") {
            add("the database file is damaged: " + line, kRestoreAdvice);
        }
    }
}

Status Checkup::check_schema() {
    progress_("the schema");
    auto newest = db_.use("SELECT coalesce(max(version), 0) FROM schema_migrations");
    TRY(const bool row, newest.step());
    const std::int64_t version = row ? newest.integer(0) : 0;
    const std::int64_t known = sqlite::embedded_migrations().back().version;
    if (version > known) {
        add("the database was made by a newer version of Confab (schema " + std::to_string(version) + ")",
            "Use that version or a newer one.");
    } else if (version < known) {
        findings_.push_back(
            {false, "the database has an older schema", "It is brought up to date at the next 'confab serve'."}
        );
    }
    return {};
}

Status Checkup::check_rules() {
    for (const Rule& rule : kRules) {
        progress_(rule.what);
        auto counted = db_.use(rule.broken);
        TRY(const bool row, counted.step());
        if (const std::int64_t broken = row ? counted.integer(0) : 0; broken > 0) {
            add(std::to_string(broken) + " " + rule.what, kRestoreAdvice);
        }
    }
    return {};
}

Status Checkup::check_runs() {
    auto counted = db_.use("SELECT count(*) FROM runs WHERE status < 2");
    TRY(const bool row, counted.step());
    if (const std::int64_t unfinished = row ? counted.integer(0) : 0; unfinished > 0) {
        findings_.push_back(
            {false,
             std::to_string(unfinished) + " answers were being made when the server ended",
             "They are closed, with what there is of them, at the next 'confab serve'."}
        );
    }
    return {};
}

// Full-text indexes, whatever they are called. Not their vocabularies (fts5vocab), which are views and cannot be checked.
Status Checkup::check_search() {
    std::vector<std::string> tables;
    {
        auto rows = db_.use(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%USING fts5(%'"
        );
        for (;;) {
            TRY(const bool row, rows.step());
            if (!row) {
                break;
            }
            tables.push_back(rows.get<std::string>(0));
        }
    }
    for (const std::string& table : tables) {
        progress_("the search index " + table);
        if (!db_.run_script("INSERT INTO \"" + table + "\"(\"" + table + "\") VALUES ('integrity-check')")) {
            add("the search index " + table + " is damaged", kRestoreAdvice);
        }
    }
    return {};
}

Status Checkup::check_blobs() {
    std::optional<Sha256> after;
    std::size_t bad = 0;
    for (std::int64_t seen = 0;;) {
        TRY(const auto blobs, list_blobs(database_, after));
        if (blobs.empty()) {
            break;
        }
        for (const BlobEntry& blob : blobs) {
            progress_("image " + std::to_string(++seen));
            TRY(const std::string defect, defect_of(blob));
            if (!defect.empty() && ++bad <= kFilesNamedMax) {
                add("the image " + blob_path(blob_dir_, blob.hash) + " " + defect,
                    "Bring this file back from a backup: its name is the SHA-256 of its bytes.");
            }
        }
        after = blobs.back().hash;
    }
    if (bad > kFilesNamedMax) {
        add(std::to_string(bad - kFilesNamedMax) + " more images are missing or damaged", kRestoreAdvice);
    }
    return {};
}

Result<std::string> Checkup::defect_of(const BlobEntry& blob) const {
    const int descriptor = ::open(blob_path(blob_dir_, blob.hash).c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return "is missing";
    }
    crypto_hash_sha256_state hash;
    crypto_hash_sha256_init(&hash);
    std::string piece(kCheckedPieceBytes, '\0');
    ssize_t got = 0;
    while ((got = ::read(descriptor, piece.data(), piece.size())) > 0) {
        crypto_hash_sha256_update(
            &hash, reinterpret_cast<const unsigned char*>(piece.data()), static_cast<unsigned long long>(got)
        );
    }
    ::close(descriptor);
    if (got < 0) {
        return "cannot be read";
    }
    Sha256 digest{};
    crypto_hash_sha256_final(&hash, digest.data());
    return digest == blob.hash ? "" : "has other bytes than it was stored with";
}

}  // namespace

Result<std::vector<Finding>> check_database(const std::string& database, const Progress& progress) {
    std::error_code ec;
    if (!std::filesystem::exists(database, ec)) {
        return base::not_found("There is no database at " + database + ".");
    }
    TRY(const auto lock, FileLock::take(lock_path(database)));
    meter::StoreCounters counters;
    auto db = Connection::open(database, sqlite::Access::read_write, counters);
    if (!db) {
        std::vector<Finding> findings;
        findings.push_back({true, "the database cannot be opened: " + db.error().message, kRestoreAdvice});
        return findings;
    }
    return Checkup(**db, blob_dir_beside(database), database, progress).run();
}

}  // namespace confab::store
