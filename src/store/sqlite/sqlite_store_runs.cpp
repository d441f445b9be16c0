// SqliteStore's calls about runs: each goes to the thread it belongs to.
#include "store/sqlite/run_chunks.hpp"
#include "store/sqlite/runs.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::store {

using sqlite::Connection;

Task<Result<BegunRun>> SqliteStore::begin_run(NewRun run) {
    auto work = [run = std::move(run)](Connection& db) { return sqlite::begin_run(db, run); };
    return write(std::move(work));
}

Task<Status> SqliteStore::append_run_chunks(std::vector<RunChunk> chunks) {
    auto work = [chunks = std::move(chunks)](Connection& db) { return sqlite::append_run_chunks(db, chunks); };
    return write(std::move(work), sqlite::Rush::may_wait);
}

Task<Status> SqliteStore::finish_run(FinishRun finish) {
    auto work = [finish = std::move(finish)](Connection& db) { return sqlite::finish_run(db, finish); };
    return write(std::move(work), sqlite::Rush::may_wait);
}

Task<Result<Run>> SqliteStore::find_run(UserNo user, ResponseId id) {
    auto work = [user, id](Connection& db) { return sqlite::find_run(db, user, id); };
    return read(std::move(work));
}

Task<Status> SqliteStore::delete_run(UserNo user, ResponseId id) {
    auto work = [user, id](Connection& db) { return sqlite::delete_run(db, user, id); };
    return write(std::move(work));
}

Task<Result<std::vector<Item>>> SqliteStore::list_prompt_items(
    ConversationNo conversation,
    BranchNo branch,
    Position position,
    Position head
) {
    auto work = [conversation, branch, position, head](Connection& db) {
        return sqlite::list_prompt_items(db, conversation, branch, position, head);
    };
    return read(std::move(work));
}

Task<Result<Page<Item>>> SqliteStore::list_input_items(UserNo user, ResponseId id, PageRequest<ItemId> request) {
    auto work = [user, id, request](Connection& db) { return sqlite::list_input_items(db, user, id, request); };
    return read(std::move(work));
}

Task<Result<std::vector<RunChunk>>> SqliteStore::list_run_chunks(RunNo run, std::int64_t seq) {
    auto work = [run, seq](Connection& db) { return sqlite::list_run_chunks(db, run, seq); };
    return read(std::move(work));
}

Task<Result<std::vector<std::pair<Run, std::vector<RunChunk>>>>> SqliteStore::list_unfinished_runs(std::size_t limit) {
    auto work = [newest = newest_run_at_open_, limit](Connection& db) {
        return sqlite::list_unfinished_runs(db, newest, limit);
    };
    return read(std::move(work));
}

// In bounded steps, so that other writes come between.
Task<Status> SqliteStore::delete_chunks_of_runs_finished_before(UnixSeconds time) {
    for (bool more = true; more;) {
        auto work = [time](Connection& db) { return sqlite::delete_chunks_step(db, time); };
        auto step = co_await write(std::move(work));
        CO_TRY(more, std::move(step));
    }
    co_return Status();
}

// The writer can begin and commit, a reader can read.
Task<Result<std::uint64_t>> SqliteStore::ping() {
    auto nothing = [](Connection&) { return Status(); };
    CO_TRY_VOID(co_await write(std::move(nothing)));
    // With what is in the write-ahead log still.
    auto look = [](Connection& db) -> Result<std::uint64_t> {
        auto size = db.use("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()");
        TRY(const bool row, size.step());
        CONFAB_ASSERT(row);
        return static_cast<std::uint64_t>(size.integer(0));
    };
    co_return co_await read(std::move(look));
}

}  // namespace confab::store
