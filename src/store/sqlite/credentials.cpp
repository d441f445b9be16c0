// Sessions and API keys: what a request proves its user with.
#include "store/sqlite/accounts.hpp"
#include "store/sqlite/usage.hpp"

namespace confab::store::sqlite {

namespace {

constexpr int kListMax = 200;

// Who may not enter has no sessions and keys; this holds even if some were left.
#define MAY_ENTER "AND u.deleted_at IS NULL AND u.suspended_at IS NULL AND u.role <> 2"

// Columns: id, user_no, token_hash, user_agent, created_at, last_seen_at.
Session read_session(const Statement& row) {
    Session session;
    session.id = row.get<SessionId>(0);
    session.user = row.get<UserNo>(1);
    session.token_hash = row.get<Sha256>(2);
    session.user_agent = row.get<std::string>(3);
    session.created_at = row.integer(4);
    session.last_seen_at = row.integer(5);
    return session;
}

// Columns: KEY_COLUMNS.
#define KEY_COLUMNS(of)                                                                           \
    of "id, " of "user_no, " of "key_hash, " of "name, " of "prefix, " of "created_at, " of \
       "last_used_at, " of "models, " of "read_only, " of "expires_at "

ApiKey read_key(const Statement& row) {
    ApiKey key;
    key.id = row.get<KeyId>(0);
    key.user = row.get<UserNo>(1);
    key.key_hash = row.get<Sha256>(2);
    key.name = row.get<std::string>(3);
    key.prefix = row.get<std::string>(4);
    key.created_at = row.integer(5);
    key.last_used_at = row.get<std::optional<UnixSeconds>>(6);
    key.models = row.get<std::string>(7);
    key.read_only = row.get<bool>(8);
    key.expires_at = row.get<std::optional<UnixSeconds>>(9);
    return key;
}

}  // namespace

Status create_session(Connection& db, const Session& session) {
    TRY_VOID(check_entry(db, session.user));
    if (!session.password_hash.empty()) {
        auto found = db.use(
            "SELECT 1 FROM users WHERE user_no = ?1 AND password_hash = ?2", session.user, session.password_hash
        );
        TRY(const bool valid, found.step());
        if (!valid) {
            return base::fail(
                base::Errc::unauthenticated, "This password has just been replaced.", "invalid_credentials"
            );
        }
    }
    return db.run(
        "INSERT INTO sessions (id, user_no, token_hash, user_agent, created_at, last_seen_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING",
        session.id,
        session.user,
        session.token_hash,
        session.user_agent,
        session.created_at,
        session.last_seen_at
    );
}

Result<std::pair<Session, User>> find_session(Connection& db, const Sha256& token_hash) {
    auto found = db.use(
        "SELECT s.id, s.user_no, s.token_hash, s.user_agent, s.created_at, s.last_seen_at, "
        USER_COLUMNS("u.") "FROM sessions s JOIN users u ON u.user_no = s.user_no WHERE s.token_hash = ?1 " MAY_ENTER,
        token_hash
    );
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("There is no such session.");
    }
    return std::pair(read_session(found), read_user(found, 6));
}

Status touch_session(Connection& db, SessionId id, UnixSeconds seen_at) {
    return db.run("UPDATE sessions SET last_seen_at = ?2 WHERE id = ?1 AND last_seen_at < ?2", id, seen_at);
}

Result<std::vector<Session>> list_sessions(Connection& db, UserNo user) {
    auto found = db.use(
        "SELECT id, user_no, token_hash, user_agent, created_at, last_seen_at FROM sessions WHERE user_no = ?1 "
        "ORDER BY created_at DESC, rowid DESC LIMIT ?2",
        user,
        kListMax
    );
    std::vector<Session> sessions;
    for (;;) {
        TRY(const bool row, found.step());
        if (!row) {
            return sessions;
        }
        sessions.push_back(read_session(found));
    }
}

Status delete_session(Connection& db, UserNo user, SessionId id) {
    TRY_VOID(db.run("DELETE FROM sessions WHERE id = ?1 AND user_no = ?2", id, user));
    if (db.changed_rows() == 0) {
        return base::not_found("There is no such session.");
    }
    return {};
}

Status delete_sessions_before(Connection& db, UnixSeconds last_seen) {
    return db.run("DELETE FROM sessions WHERE last_seen_at < ?1", last_seen);
}

Status create_key(Connection& db, const ApiKey& key) {
    TRY_VOID(check_entry(db, key.user));
    return db.run(
        "INSERT INTO api_keys (id, user_no, key_hash, name, prefix, created_at, last_used_at, models, read_only, "
        "expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING",
        key.id,
        key.user,
        key.key_hash,
        key.name,
        key.prefix,
        key.created_at,
        key.last_used_at,
        key.models,
        key.read_only,
        key.expires_at
    );
}

Result<std::pair<ApiKey, User>> find_key(Connection& db, const Sha256& key_hash) {
    auto found = db.use(
        "SELECT " KEY_COLUMNS("k.") ", " USER_COLUMNS("u.") "FROM api_keys k JOIN users u ON u.user_no = k.user_no "
        "WHERE k.key_hash = ?1 AND (k.expires_at IS NULL OR k.expires_at > ?2) " MAY_ENTER,
        key_hash,
        base::unix_now()
    );
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("There is no such key.");
    }
    return std::pair(read_key(found), read_user(found, 10));
}

Status touch_key(Connection& db, KeyId id, UnixSeconds used_at) {
    return db.run("UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1", id, used_at);
}

Result<std::vector<ApiKey>> list_keys(Connection& db, UserNo user) {
    auto found = db.use(
        "SELECT " KEY_COLUMNS("") "FROM api_keys WHERE user_no = ?1 "
        "ORDER BY created_at DESC, rowid DESC LIMIT ?2",
        user,
        kListMax
    );
    std::vector<ApiKey> keys;
    for (;;) {
        TRY(const bool row, found.step());
        if (!row) {
            return keys;
        }
        keys.push_back(read_key(found));
    }
}

Status delete_key(Connection& db, UserNo user, KeyId id) {
    TRY_VOID(db.run("DELETE FROM api_keys WHERE id = ?1 AND user_no = ?2", id, user));
    if (db.changed_rows() == 0) {
        return base::not_found("There is no such key.");
    }
    return delete_limits_of_key(db, id);
}

#undef MAY_ENTER

}  // namespace confab::store::sqlite
