// SqliteStore's calls about requests that may be repeated: each goes to the thread it belongs to.
#include "store/sqlite/calls.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::store {

using sqlite::Connection;

Task<Result<Call>> SqliteStore::begin_call(NewCall call) {
    auto work = [call = std::move(call)](Connection& db) { return sqlite::begin_call(db, call, base::unix_now()); };
    return write(std::move(work));
}

Task<Status> SqliteStore::finish_call(FinishedCall finished) {
    auto work = [finished = std::move(finished)](Connection& db) { return sqlite::finish_call(db, finished); };
    return write(std::move(work));
}

Task<Status> SqliteStore::interrupt_call(CallNo no) {
    auto work = [no](Connection& db) { return sqlite::interrupt_call(db, no); };
    return write(std::move(work));
}

Task<Status> SqliteStore::forget_call(CallNo no) {
    auto work = [no](Connection& db) { return sqlite::forget_call(db, no); };
    return write(std::move(work));
}

Task<Result<bool>> SqliteStore::delete_calls_before(UnixSeconds time) {
    auto work = [time](Connection& db) { return sqlite::delete_calls_before(db, time); };
    return write(std::move(work));
}

}  // namespace confab::store
