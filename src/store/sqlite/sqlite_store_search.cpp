// SqliteStore's search: a read like any other.
#include "store/sqlite/search.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::store {

Task<Result<SearchPage>> SqliteStore::search(UserNo user, SearchRequest request) {
    auto work = [user, request = std::move(request)](sqlite::Connection& db) {
        return sqlite::search(db, user, request);
    };
    return read(std::move(work));
}

}  // namespace confab::store
