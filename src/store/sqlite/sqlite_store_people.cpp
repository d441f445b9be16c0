// SqliteStore's calls of administrators about people: each goes to the thread it belongs to.
#include "store/sqlite/people.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::store {

using sqlite::Connection;

Task<Result<User>> SqliteStore::find_user_by_id(UserId id) {
    auto work = [id](Connection& db) { return sqlite::find_user_by_id(db, id); };
    return read(std::move(work));
}

Task<Result<Page<User>>> SqliteStore::list_people(PageRequest<UserId> request) {
    auto work = [request](Connection& db) { return sqlite::list_people(db, request); };
    return read(std::move(work));
}

Task<Result<User>> SqliteStore::change_user(UserId id, UserPatch patch) {
    auto work = [id, patch = std::move(patch)](Connection& db) { return sqlite::change_user(db, id, patch); };
    return write(std::move(work));
}

Task<Result<EndedAccess>> SqliteStore::end_access(UserNo user, std::optional<SessionId> keep) {
    auto work = [user, keep](Connection& db) { return sqlite::end_access(db, user, keep); };
    return write(std::move(work));
}

Task<Result<UserNo>> SqliteStore::delete_user(UserId id) {
    auto work = [id](Connection& db) { return sqlite::delete_user(db, id); };
    return write(std::move(work));
}

Task<Result<User>> SqliteStore::sign_up(User user, std::optional<Sha256> invitation) {
    auto work = [user = std::move(user), invitation](Connection& db) { return sqlite::sign_up(db, user, invitation); };
    return write(std::move(work));
}

Task<Result<Invitation>> SqliteStore::find_open_invitation(Sha256 token_hash) {
    auto work = [token_hash](Connection& db) { return sqlite::find_open_invitation(db, token_hash); };
    return read(std::move(work));
}

Task<Status> SqliteStore::create_invitation(Invitation invitation) {
    auto work = [invitation = std::move(invitation)](Connection& db) {
        return sqlite::create_invitation(db, invitation);
    };
    return write(std::move(work));
}

Task<Result<Page<Invitation>>> SqliteStore::list_invitations(PageRequest<InvitationId> request) {
    auto work = [request](Connection& db) { return sqlite::list_invitations(db, request); };
    return read(std::move(work));
}

Task<Status> SqliteStore::delete_invitation(InvitationId id) {
    auto work = [id](Connection& db) { return sqlite::delete_invitation(db, id); };
    return write(std::move(work));
}

Task<Status> SqliteStore::delete_invitations_expired_before(UnixSeconds time) {
    auto work = [time](Connection& db) { return sqlite::delete_invitations_expired_before(db, time); };
    return write(std::move(work));
}

}  // namespace confab::store
