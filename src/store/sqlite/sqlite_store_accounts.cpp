// SqliteStore's calls about people and settings: each goes to the thread it belongs to.
#include "store/sqlite/accounts.hpp"
#include "store/sqlite/settings.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::store {

using sqlite::Connection;

Task<Result<User>> SqliteStore::create_user(User user, IfFirst if_first) {
    auto work = [user = std::move(user), if_first](Connection& db) { return sqlite::create_user(db, user, if_first); };
    return write(std::move(work));
}

Task<Result<User>> SqliteStore::find_user_by_email(std::string email) {
    auto work = [email = std::move(email)](Connection& db) { return sqlite::find_user_by_email(db, email); };
    return read(std::move(work));
}

Task<Result<User>> SqliteStore::find_user(UserNo no) {
    auto work = [no](Connection& db) { return sqlite::find_user(db, no); };
    return read(std::move(work));
}

Task<Result<std::vector<User>>> SqliteStore::list_users() {
    auto work = [](Connection& db) { return sqlite::list_users(db); };
    return read(std::move(work));
}

Task<Result<std::int64_t>> SqliteStore::count_users() {
    auto work = [](Connection& db) { return sqlite::count_users(db); };
    return read(std::move(work));
}

Task<Status> SqliteStore::set_password(UserNo user, std::string password_hash, std::optional<SessionId> keep) {
    auto work = [user, password_hash = std::move(password_hash), keep](Connection& db) {
        return sqlite::set_password(db, user, password_hash, keep);
    };
    return write(std::move(work));
}

Task<Status> SqliteStore::create_session(Session session) {
    auto work = [session = std::move(session)](Connection& db) { return sqlite::create_session(db, session); };
    return write(std::move(work));
}

Task<Result<std::pair<Session, User>>> SqliteStore::find_session(Sha256 token_hash) {
    auto work = [token_hash](Connection& db) { return sqlite::find_session(db, token_hash); };
    return read(std::move(work));
}

Task<Status> SqliteStore::touch_session(SessionId id, UnixSeconds seen_at) {
    auto work = [id, seen_at](Connection& db) { return sqlite::touch_session(db, id, seen_at); };
    return write(std::move(work));
}

Task<Result<std::vector<Session>>> SqliteStore::list_sessions(UserNo user) {
    auto work = [user](Connection& db) { return sqlite::list_sessions(db, user); };
    return read(std::move(work));
}

Task<Status> SqliteStore::delete_session(UserNo user, SessionId id) {
    auto work = [user, id](Connection& db) { return sqlite::delete_session(db, user, id); };
    return write(std::move(work));
}

Task<Status> SqliteStore::delete_sessions_before(UnixSeconds last_seen) {
    auto work = [last_seen](Connection& db) { return sqlite::delete_sessions_before(db, last_seen); };
    return write(std::move(work));
}

Task<Status> SqliteStore::create_key(ApiKey key) {
    auto work = [key = std::move(key)](Connection& db) { return sqlite::create_key(db, key); };
    return write(std::move(work));
}

Task<Result<std::pair<ApiKey, User>>> SqliteStore::find_key(Sha256 key_hash) {
    auto work = [key_hash](Connection& db) { return sqlite::find_key(db, key_hash); };
    return read(std::move(work));
}

Task<Status> SqliteStore::touch_key(KeyId id, UnixSeconds used_at) {
    auto work = [id, used_at](Connection& db) { return sqlite::touch_key(db, id, used_at); };
    return write(std::move(work));
}

Task<Result<std::vector<ApiKey>>> SqliteStore::list_keys(UserNo user) {
    auto work = [user](Connection& db) { return sqlite::list_keys(db, user); };
    return read(std::move(work));
}

Task<Status> SqliteStore::delete_key(UserNo user, KeyId id) {
    auto work = [user, id](Connection& db) { return sqlite::delete_key(db, user, id); };
    return write(std::move(work));
}

Task<Result<std::optional<std::string>>> SqliteStore::get_setting(std::string name) {
    auto work = [name = std::move(name)](Connection& db) { return sqlite::get_setting(db, name); };
    return read(std::move(work));
}

Task<Status> SqliteStore::put_setting(std::string name, std::string value) {
    auto work = [name = std::move(name), value = std::move(value)](Connection& db) {
        return sqlite::put_setting(db, name, value);
    };
    return write(std::move(work));
}

}  // namespace confab::store
