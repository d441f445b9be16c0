#include "store/sqlite/sqlite_store.hpp"

#include <spdlog/spdlog.h>

#include <fcntl.h>
#include <unistd.h>

#include "store/blobs.hpp"
#include "store/sqlite/copies.hpp"
#include "store/sqlite/files.hpp"
#include "store/sqlite/migrations.hpp"
#include "store/sqlite/organise.hpp"
#include "store/sqlite/people.hpp"
#include "store/sqlite/runs.hpp"
#include "store/sqlite/search_upkeep.hpp"
#include "store/sqlite/wipe.hpp"

namespace confab::store {

namespace {

constexpr std::size_t kReadsQueuedMax = 4'096;  // beyond it callers are told to come again
constexpr std::chrono::seconds kReadTime{2};    // a longer snapshot would keep the log from being reused

// Of the page caches of all connections together; SQLite then gives back pages instead of taking more.
constexpr std::int64_t kHeapBytes = 64 * 1024 * 1024;

// A new database can be read by its owner only; SQLite gives the log the same mode. Failing is left for SQLite to
// report.
void make_private_file(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor >= 0) {
        ::close(descriptor);
    }
}

// Indexing costs a commit of its own: not for every group of writes, but soon enough that what was just sent is found.
constexpr std::chrono::milliseconds kIndexEvery{300};
constexpr std::chrono::seconds kIndexRetry{30};
// How often the segments that indexing leaves are merged, while there are any; then a step with each look.
constexpr std::chrono::seconds kMergeEvery{10};
// How often words of deleted messages are dropped from the index's segments, when there are any: it rewrites the index.
constexpr std::chrono::hours kPurgeEvery{24};
constexpr std::chrono::minutes kFirstPurge{10};  // after the start

// One step of each kind of housekeeping.
class Housekeeping {
public:
    using Housework = sqlite::Writer::Housework;

    // Blobs stay while somebody holds them.
    Housekeeping(
        const std::string& blob_dir,
        std::shared_ptr<const std::atomic<int>> blob_holds,
        const meter::Pressure* pressure
    )
        : sweep_(blob_dir), blob_holds_(std::move(blob_holds)), pressure_(pressure) {}

    Result<Housework> operator()(sqlite::Connection& db) {
        TRY(bool more, sqlite::wipe_step(db));
        TRY(const bool more_in_folders, sqlite::empty_folders_step(db));
        TRY(const bool more_of_people, sqlite::wipe_users_step(db));
        more = more || more_in_folders || more_of_people;
        if (blob_holds_->load() == 0) {
            TRY(const bool more_to_sweep, sweep_.step(db));
            more = more || more_to_sweep;
        }
        TRY(const Housework indexing, index(db));
        return more ? Housework::more : indexing;
    }

private:
    // A failure here must not undo the rest of the step, nor come again at once.
    Result<Housework> index(sqlite::Connection& db) {
        const auto now = std::chrono::steady_clock::now();
        const bool deferred = pressure_ != nullptr && pressure_->active(meter::Action::defer_background);
        if (now < next_indexing_ || deferred) {
            return Housework::later;
        }
        TRY_VOID(db.run("SAVEPOINT indexing"));
        auto left = index_and_purge(db, now);
        if (!left) {
            if (!db.in_transaction()) {
                return left;
            }
            spdlog::warn("indexing failed message=\"{}\"", left.error().message);
            next_indexing_ = now + kIndexRetry;
            left = Housework::none;
            TRY_VOID(db.run("ROLLBACK TO indexing"));
        }
        TRY_VOID(db.run("RELEASE indexing"));
        return left;
    }

    Result<Housework> index_and_purge(sqlite::Connection& db, std::chrono::steady_clock::time_point now) {
        TRY(const bool more, sqlite::index_step(db));
        next_indexing_ = more ? now : now + kIndexEvery;
        if (more) {
            return Housework::more;
        }
        bool more_to_merge = false;
        if (now >= next_merge_) {
            TRY(more_to_merge, sqlite::merge_step(db));
            next_merge_ = more_to_merge ? now : now + kMergeEvery;
        }
        if (more_to_merge || now < next_purge_) {
            return more_to_merge ? Housework::later : Housework::none;
        }
        TRY(const bool more_to_purge, sqlite::purge_step(db));
        next_purge_ = more_to_purge ? now : now + kPurgeEvery;
        return more_to_purge ? Housework::later : Housework::none;
    }

    sqlite::BlobSweep sweep_;
    std::shared_ptr<const std::atomic<int>> blob_holds_;
    const meter::Pressure* pressure_;
    std::chrono::steady_clock::time_point next_indexing_{};
    std::chrono::steady_clock::time_point next_merge_{};
    std::chrono::steady_clock::time_point next_purge_ = std::chrono::steady_clock::now() + kFirstPurge;
};

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(SqliteOptions options) {
    sqlite3_soft_heap_limit64(kHeapBytes);
    TRY(FileLock lock, FileLock::take(lock_path(options.path)));
    TRY_VOID(prepare_blob_dir(blob_dir_beside(options.path)));
    make_private_file(options.path);
    TRY(auto writer, sqlite::Connection::open(options.path, sqlite::Access::read_write, options.counters));
    TRY_VOID(sqlite::migrate(*writer, sqlite::embedded_migrations()));
    TRY_VOID(sqlite::abandon_all_copies(*writer));
    TRY(const RunNo newest_run, sqlite::find_newest_run(*writer));
    std::vector<Reader> readers;
    for (unsigned i = 0; i < options.readers; ++i) {
        TRY(auto reader, sqlite::Connection::open(options.path, sqlite::Access::read_only, options.counters));
        readers.push_back(std::move(reader));
    }
    return std::unique_ptr<SqliteStore>(
        new SqliteStore(std::move(lock), std::move(writer), std::move(readers), options, newest_run)
    );
}

SqliteStore::SqliteStore(
    FileLock lock,
    std::unique_ptr<sqlite::Connection> writer,
    std::vector<Reader> readers,
    const SqliteOptions& options,
    RunNo newest_run_at_open
)
    : lock_(std::move(lock)),
      blob_dir_(blob_dir_beside(options.path)),
      blob_holds_(std::make_shared<std::atomic<int>>(0)),
      counters_(options.counters),
      writer_(std::move(writer), options.path, options.counters, Housekeeping(blob_dir_, blob_holds_, options.pressure)),
      readers_(std::move(readers), kReadsQueuedMax, [](Reader& reader) { reader->release_cache(); }),
      newest_run_at_open_(newest_run_at_open) {}

// Readers first: the writer can empty the log only when nobody reads from it.
void SqliteStore::stop() {
    readers_.stop();
    writer_.stop();
}

void SqliteStore::begin_snapshot(sqlite::Connection& db) {
    db.set_deadline(std::chrono::steady_clock::now() + kReadTime);
    // If it fails, the statements of the call fail the same way and say so.
    (void)db.run("BEGIN");
}

void SqliteStore::end_snapshot(sqlite::Connection& db) {
    db.set_deadline(std::nullopt);
    if (db.in_transaction()) {
        (void)db.run("COMMIT");
    }
}

}  // namespace confab::store
