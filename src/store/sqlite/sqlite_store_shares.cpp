// SqliteStore's calls about shares: each goes to the thread it belongs to.
#include "store/sqlite/shares.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::store {

using sqlite::Connection;

Task<Result<Share>> SqliteStore::create_share(UserNo user, ConversationId conversation, NewShare share) {
    auto work = [user, conversation, share](Connection& db) {
        return sqlite::create_share(db, user, conversation, share);
    };
    return write(std::move(work));
}

Task<Result<Page<Share>>> SqliteStore::list_shares(
    UserNo user,
    std::optional<ConversationId> conversation,
    PageRequest<ShareId> request
) {
    auto work = [user, conversation, request](Connection& db) {
        return sqlite::list_shares(db, user, conversation, request);
    };
    return read(std::move(work));
}

Task<Status> SqliteStore::delete_share(UserNo user, ShareId id) {
    auto work = [user, id](Connection& db) { return sqlite::delete_share(db, user, id); };
    return write(std::move(work));
}

Task<Status> SqliteStore::delete_shares_expired_before(UnixSeconds time) {
    auto work = [time](Connection& db) { return sqlite::delete_shares_expired_before(db, time); };
    return write(std::move(work));
}

Task<Result<SharedPage>> SqliteStore::read_share(Sha256 token_hash, Position after, std::size_t limit) {
    auto work = [token_hash, after, limit](Connection& db) { return sqlite::read_share(db, token_hash, after, limit); };
    return read(std::move(work));
}

Task<Result<SharedItem>> SqliteStore::read_shared_item(Sha256 token_hash, Position position) {
    auto work = [token_hash, position](Connection& db) { return sqlite::read_shared_item(db, token_hash, position); };
    return read(std::move(work));
}

}  // namespace confab::store
