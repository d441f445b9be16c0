// Writer: the one thread that writes, with the one connection that writes and checkpoints.
//
// Operations come through a bounded queue. The thread takes what is there (group commit: while one group is being synced
// the next one gathers, and what can wait a moment waits for what cannot), runs each operation in a savepoint of its
// own, so that a failing one is undone alone, commits, and only then answers the callers. Between groups it takes one
// bounded step of housekeeping, when there is some, and moves the write-ahead log into the database when it has grown.
//
// An I/O error while committing ends the process: the commit may or may not have reached the disk, and only a restart,
// which reads the disk again, can tell.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "meter/counters.hpp"
#include "net/blocking_pool.hpp"  // await_callback
#include "store/sqlite/commit_queue.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

// Whether somebody waits for the commit of an operation, or it may wait a moment for company.
enum class Rush : std::uint8_t { now, may_wait };

// Under load a commit for each finished answer would cost more than all that is in it.
inline constexpr std::chrono::milliseconds kCommitEvery{5};

class Writer {
public:
    // One bounded step of background work in its own transaction, and what is left: nothing, more at once, or more that
    // can wait for a moment so as not to cost a commit of its own for each group.
    enum class Housework : std::uint8_t { none, more, later };
    using Housekeeping = std::function<Result<Housework>(Connection&)>;

    // `path` names the database file, to see how large its log has grown.
    Writer(
        std::unique_ptr<Connection> connection,
        std::string path,
        meter::StoreCounters& counters,
        Housekeeping housekeeping
    );
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    ~Writer() { stop(); }

    // `work(Connection&)` returns a Result; a failed one leaves no trace in the database. Resumes the caller after the
    // commit. Errors of the queue and of the group: `unavailable`, `storage_full`, `internal`. Cancelling the caller
    // stops nothing.
    // One that may wait is taken along by the next commit, or has one within kCommitEvery of the last.
    template <class Work>
    auto run(Work work, Rush rush = Rush::now) -> net::Task<std::invoke_result_t<Work&, Connection&>> {
        using R = std::invoke_result_t<Work&, Connection&>;
        auto submit = [this, &work, rush](auto done) {
            push(std::make_unique<TypedOperation<Work, decltype(done)>>(std::move(work), std::move(done)), rush);
        };
        co_return co_await net::await_callback<R>(std::move(submit));
    }

    // The same, but between two commits and in no transaction; for what SQLite does not do within one. Must be short.
    template <class Work>
    auto run_between(Work work) -> net::Task<std::invoke_result_t<Work&, Connection&>> {
        using R = std::invoke_result_t<Work&, Connection&>;
        auto submit = [this, &work](auto done) {
            auto operation = std::make_unique<TypedOperation<Work, decltype(done)>>(std::move(work), std::move(done));
            operation->between = true;
            push(std::move(operation), Rush::now);
        };
        co_return co_await net::await_callback<R>(std::move(submit));
    }

    // Without anybody who waits.
    template <class Work>
    void post_between(Work work) {
        using R = std::invoke_result_t<Work&, Connection&>;
        auto nobody = [](const R&) {};
        auto operation = std::make_unique<TypedOperation<Work, decltype(nobody)>>(std::move(work), nobody);
        operation->between = true;
        push(std::move(operation), Rush::now);
    }

    // Finishes what is queued, moves the log into the database and closes the connection.
    void stop();

private:
    using Clock = std::chrono::steady_clock;

    class Operation {
    public:
        virtual ~Operation() = default;
        virtual Status apply(Connection& db) = 0;
        // `group` failed: nothing of this operation was saved, whatever apply() returned.
        virtual void answer(const Status& group) = 0;

        bool between = false;  // to be run outside of the group's transaction
    };

    template <class Work, class Done>
    class TypedOperation final : public Operation {
    public:
        TypedOperation(Work work, Done done) : work_(std::move(work)), done_(std::move(done)) {}

        Status apply(Connection& db) override {
            try {
                result_.emplace(work_(db));
            } catch (const std::bad_alloc&) {
                result_.emplace(
                    base::fail(base::Errc::unavailable, "The server is out of memory. Try again shortly.", "overloaded")
                );
            }
            return *result_ ? Status() : std::unexpected(result_->error());
        }

        void answer(const Status& group) override {
            if (group) {
                done_(*std::move(result_));
            } else {
                done_(R(std::unexpected(group.error())));
            }
        }

    private:
        using R = std::invoke_result_t<Work&, Connection&>;
        Work work_;
        Done done_;
        std::optional<R> result_;
    };

    using Group = std::vector<std::unique_ptr<Operation>>;

    void push(std::unique_ptr<Operation> operation, Rush rush);
    void loop();
    std::chrono::milliseconds pause_after(Housework left) const;
    void work_off(Group& group);
    void commit(Group& group);
    Status apply_all(Group& group);
    Status apply_alone(Operation& operation);
    Status apply_in_savepoint(Operation& operation);
    Status commit_transaction();
    Housework keep_house();
    void checkpoint_if_due(bool idle);
    void checkpoint(Checkpoint kind);
    std::int64_t log_file_bytes() const;

    std::unique_ptr<Connection> db_;
    const std::string log_path_;
    meter::StoreCounters& counters_;
    const Housekeeping housekeeping_;
    CommitQueue<std::unique_ptr<Operation>> queue_;
    std::atomic<Clock::time_point> last_commit_{Clock::time_point()};
    std::int64_t passive_due_bytes_;
    std::thread thread_;
};

}  // namespace confab::store::sqlite
