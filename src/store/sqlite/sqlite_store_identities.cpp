// SqliteStore's calls about identities: each goes to the thread it belongs to.
#include "store/sqlite/identities.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::store {

using sqlite::Connection;

Task<Result<User>> SqliteStore::find_user_by_identity(Identity identity) {
    auto work = [identity = std::move(identity)](Connection& db) { return sqlite::find_user_by_identity(db, identity); };
    return read(std::move(work));
}

Task<Status> SqliteStore::link_identity(UserNo user, Identity identity) {
    auto work = [user, identity = std::move(identity)](Connection& db) {
        return sqlite::link_identity(db, user, identity);
    };
    return write(std::move(work));
}

Task<Result<User>> SqliteStore::create_user_with_identity(User user, Identity identity) {
    auto work = [user = std::move(user), identity = std::move(identity)](Connection& db) {
        return sqlite::create_user_with_identity(db, user, identity);
    };
    return write(std::move(work));
}

}  // namespace confab::store
