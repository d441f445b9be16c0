#include "store/sqlite/writer.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/log.hpp"

namespace confab::store::sqlite {

namespace {

constexpr std::size_t kQueueMax = 4'096;  // operations; beyond it callers are told to come again
constexpr std::size_t kGroupMax = 200;    // operations in one commit

// How long the thread sleeps before it looks whether an idle moment can be used to shrink the log.
constexpr std::chrono::milliseconds kIdle{1'000};
constexpr std::chrono::milliseconds kWorkWait{100};

// After commits the house is looked at, but not after each of a thousand in a second. What is found is worked off without
// a pause while nobody commits, and in a quarter of the time while somebody does.
constexpr std::chrono::milliseconds kHouseEvery{50};

constexpr std::int64_t kPassiveBytes =
    16 * 1024 * 1024;  // of commits in the log: move them, without waiting for readers
constexpr std::int64_t kPassiveRetryBytes = 4 * 1024 * 1024;  // more, when a reader held some of them
constexpr std::int64_t kTruncateBytes = 64 * 1024 * 1024;  // of the log's file: cut it when nothing else is to be done

bool is_io_error(int code) {
    return (code & 0xFF) == SQLITE_IOERR;
}

bool is_sync_error(int code) {
    return code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
}

[[noreturn]] void end_process(const char* step, int code) {
    spdlog::critical(
        "storage lost step={} sqlite_code={} reason=\"the last commit may or may not be on disk; a restart reads it "
        "again\"",
        step,
        code
    );
    spdlog::default_logger()->flush();
    std::abort();
}

}  // namespace

Writer::Writer(
    std::unique_ptr<Connection> connection,
    std::string path,
    meter::StoreCounters& counters,
    Housekeeping housekeeping
)
    : db_(std::move(connection)),
      log_path_(std::move(path) + "-wal"),
      counters_(counters),
      housekeeping_(std::move(housekeeping)),
      queue_(kQueueMax),
      passive_due_bytes_(kPassiveBytes),
      thread_([this] { loop(); }) {}

void Writer::stop() {
    queue_.close();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Writer::push(std::unique_ptr<Operation> operation, Rush rush) {
    counters_.writer_queue_depth.add(1);
    const auto last = last_commit_.load(std::memory_order_relaxed);
    const auto due = rush == Rush::now ? Clock::time_point::min() : last + kCommitEvery;
    if (!queue_.push(std::move(operation), due)) {
        counters_.writer_queue_depth.add(-1);
        operation->answer(
            base::fail(base::Errc::unavailable, "The server is overloaded. Try again shortly.", "overloaded")
        );
    }
}

void Writer::loop() {
    Housework left = Housework::more;  // a crash may have interrupted it
    Clock::time_point house_due = Clock::now();
    Clock::time_point busy_at = Clock::now();
    bool rested = false;
    for (;;) {
        const auto until_due = std::max(house_due - Clock::now(), Clock::duration(0));
        Group group = queue_.pop_many(kGroupMax, left == Housework::none ? Clock::duration(kIdle) : until_due);
        if (!group.empty()) {
            work_off(group);
            left = Housework::more;
        } else if (queue_.closed()) {
            break;
        }
        if (left != Housework::none && Clock::now() >= house_due) {
            left = keep_house();
            house_due = Clock::now() + pause_after(left);
        }
        checkpoint_if_due(group.empty());
        if (!group.empty() || left != Housework::none) {
            busy_at = Clock::now();
            rested = false;
        } else if (!rested && Clock::now() - busy_at >= net::kRestAfter) {
            db_->release_cache();
            rested = true;
        }
    }
    checkpoint(Checkpoint::truncate);
    db_.reset();
}

// First the transaction of all that want one, then what runs between two.
void Writer::work_off(Group& group) {
    counters_.writer_queue_depth.add(-static_cast<std::int64_t>(group.size()));
    Group between;
    for (auto& operation : group) {
        if (operation->between) {
            between.push_back(std::move(operation));
        }
    }
    std::erase(group, nullptr);
    if (!group.empty()) {
        commit(group);
    }
    for (const auto& operation : between) {
        (void)operation->apply(*db_);  // its error is its caller's
        operation->answer({});
    }
}

void Writer::commit(Group& group) {
    counters_.operations.add(group.size());
    counters_.group_operations.observe(group.size());
    const Clock::time_point begun = Clock::now();
    const Status outcome = apply_all(group);
    if (is_sync_error(db_->last_failure())) {
        end_process("sync", db_->last_failure());  // the log's header is synced before a commit already
    }
    const Clock::time_point ended = Clock::now();
    last_commit_.store(ended, std::memory_order_relaxed);
    if (outcome) {
        counters_.commits.add();
        const auto took = std::chrono::duration_cast<std::chrono::microseconds>(ended - begun);
        counters_.commit_us.observe(static_cast<std::uint64_t>(took.count()));
    } else if (db_->in_transaction()) {
        // Nothing to do about a failure here: the next BEGIN reports it.
        (void)db_->run("ROLLBACK");
    }
    for (const auto& operation : group) {
        operation->answer(outcome);
    }
}

Status Writer::apply_all(Group& group) {
    TRY_VOID(db_->run("BEGIN IMMEDIATE"));
    if (group.size() == 1) {
        return apply_alone(*group.front());
    }
    for (const auto& operation : group) {
        TRY_VOID(apply_in_savepoint(*operation));
    }
    return commit_transaction();
}

// The transaction is its savepoint.
Status Writer::apply_alone(Operation& operation) {
    Status applied = operation.apply(*db_);
    if (applied) {
        return commit_transaction();
    }
    if (!db_->in_transaction() || applied.error().errc == base::Errc::storage_full) {
        return applied;
    }
    return db_->run("ROLLBACK");
}

// Fails only when the whole group is lost: SQLite undoes the transaction itself on some errors, and on a full disk the
// neighbours could not be committed either.
Status Writer::apply_in_savepoint(Operation& operation) {
    TRY_VOID(db_->run("SAVEPOINT operation"));
    Status applied = operation.apply(*db_);
    if (!applied) {
        if (!db_->in_transaction() || applied.error().errc == base::Errc::storage_full) {
            return applied;
        }
        TRY_VOID(db_->run("ROLLBACK TO operation"));
    }
    return db_->run("RELEASE operation");
}

Status Writer::commit_transaction() {
    Status committed = db_->run("COMMIT");
    if (!committed && is_io_error(db_->last_failure())) {
        end_process("commit", db_->last_failure());
    }
    return committed;
}

// Until the house is looked at again.
std::chrono::milliseconds Writer::pause_after(Housework left) const {
    switch (left) {
        case Housework::none: return kHouseEvery;
        case Housework::more: {
            const bool busy = Clock::now() - last_commit_.load(std::memory_order_relaxed) < kWorkWait;
            return busy ? kHouseEvery : std::chrono::milliseconds(0);
        }
        case Housework::later: return kWorkWait;
    }
    return kHouseEvery;
}

Writer::Housework Writer::keep_house() {
    Status begun = db_->run("BEGIN IMMEDIATE");
    if (!begun) {
        return Housework::none;
    }
    Result<Housework> step = housekeeping_(*db_);
    Status done = step ? commit_transaction() : Status(std::unexpected(step.error()));
    if (done) {
        return *step;
    }
    // Comes again after the next commit; on a full disk deleting fails as well.
    spdlog::warn("housekeeping failed message=\"{}\"", done.error().message);
    if (db_->in_transaction()) {
        (void)db_->run("ROLLBACK");
    }
    return Housework::none;
}

void Writer::checkpoint_if_due(bool idle) {
    if (db_->wal_bytes() >= passive_due_bytes_) {
        checkpoint(Checkpoint::passive);
    }
    const std::int64_t file_bytes = log_file_bytes();
    counters_.wal_bytes.set(file_bytes);
    if (idle && file_bytes >= kTruncateBytes) {
        checkpoint(Checkpoint::truncate);
        counters_.wal_bytes.set(log_file_bytes());
    }
}

void Writer::checkpoint(Checkpoint kind) {
    const Result<bool> complete = db_->checkpoint(kind);
    counters_.checkpoints.add();
    if (!complete && is_io_error(db_->last_failure())) {
        end_process("checkpoint", db_->last_failure());
    }
    if (!complete) {
        spdlog::warn("checkpoint failed message=\"{}\"", complete.error().message);
    }
    passive_due_bytes_ = complete && *complete ? kPassiveBytes : db_->wal_bytes() + kPassiveRetryBytes;
}

std::int64_t Writer::log_file_bytes() const {
    std::error_code ec;
    const auto size = std::filesystem::file_size(log_path_, ec);
    return ec ? 0 : static_cast<std::int64_t>(size);
}

}  // namespace confab::store::sqlite
