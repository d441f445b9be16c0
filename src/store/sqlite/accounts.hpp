// People, their sessions and their API keys. The meaning of each call is that of AccountStore; a call that changes
// something expects a transaction.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/sqlite/connection.hpp"
#include "store/store.hpp"

namespace confab::store::sqlite {

// The columns that read_user() takes, of the table or alias with this prefix ("u.").
#define USER_COLUMNS(of)                                                                                    \
    of "user_no, " of "id, " of "email, " of "name, " of "role, " of "password_hash, " of "created_at, " of \
       "suspended_at "
User read_user(const Statement& row, int first = 0);
Result<User> one_user(Statement& found);
// `forbidden` (account_suspended, account_pending) when the user may not enter.
Status check_entry(Connection& db, UserNo user);

Result<User> create_user(Connection& db, const User& user, IfFirst if_first);
Result<User> find_user_by_email(Connection& db, const std::string& email);
Result<User> find_user(Connection& db, UserNo no);
Result<std::vector<User>> list_users(Connection& db);
Result<std::int64_t> count_users(Connection& db);
Status set_password(
    Connection& db,
    UserNo user,
    const std::string& password_hash,
    const std::optional<SessionId>& keep
);

Status create_session(Connection& db, const Session& session);
Result<std::pair<Session, User>> find_session(Connection& db, const Sha256& token_hash);
Status touch_session(Connection& db, SessionId id, UnixSeconds seen_at);
Result<std::vector<Session>> list_sessions(Connection& db, UserNo user);
Status delete_session(Connection& db, UserNo user, SessionId id);
Status delete_sessions_before(Connection& db, UnixSeconds last_seen);

Status create_key(Connection& db, const ApiKey& key);
Result<std::pair<ApiKey, User>> find_key(Connection& db, const Sha256& key_hash);
Status touch_key(Connection& db, KeyId id, UnixSeconds used_at);
Result<std::vector<ApiKey>> list_keys(Connection& db, UserNo user);
Status delete_key(Connection& db, UserNo user, KeyId id);

}  // namespace confab::store::sqlite
