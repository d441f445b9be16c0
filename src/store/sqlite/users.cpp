#include "store/sqlite/accounts.hpp"

namespace confab::store::sqlite {

namespace {

constexpr int kUsersMax = 10'000;

}  // namespace

User read_user(const Statement& row, int first) {
    User user;
    user.no = row.get<UserNo>(first);
    user.id = row.get<UserId>(first + 1);
    user.email = row.get<std::string>(first + 2);
    user.name = row.get<std::string>(first + 3);
    user.role = row.get<Role>(first + 4);
    user.password_hash = row.get<std::string>(first + 5);
    user.created_at = row.integer(first + 6);
    user.suspended_at = row.get<std::optional<UnixSeconds>>(first + 7);
    return user;
}

Result<User> one_user(Statement& found) {
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("There is no such user.", "user_not_found");
    }
    return read_user(found);
}

Status check_entry(Connection& db, UserNo user) {
    TRY(const User found, find_user(db, user));
    if (found.suspended_at) {
        return base::fail(base::Errc::forbidden, "An administrator has suspended this account.", "account_suspended");
    }
    if (found.role == Role::pending) {
        return base::fail(base::Errc::forbidden, "An administrator has yet to let this account in.", "account_pending");
    }
    return {};
}

Result<User> create_user(Connection& db, const User& user, IfFirst if_first) {
    {
        auto repeated = db.use("SELECT " USER_COLUMNS("") "FROM users WHERE id = ?1 AND deleted_at IS NULL", user.id);
        TRY(const bool row, repeated.step());
        if (row) {
            return read_user(repeated);
        }
    }
    if (if_first == IfFirst::yes) {
        auto any = db.use("SELECT 1 FROM users LIMIT 1");
        TRY(const bool row, any.step());
        if (row) {
            return base::fail(base::Errc::conflict, "The first account exists already.", "setup_already_done");
        }
    }
    TRY_VOID(db.run(
        "INSERT INTO users (id, email, name, role, password_hash, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
        "ON CONFLICT (email) DO NOTHING",
        user.id,
        user.email,
        user.name,
        user.role,
        user.password_hash,
        user.created_at
    ));
    if (db.changed_rows() == 0) {
        return base::fail(base::Errc::conflict, "An account with this address exists already.", "email_taken", "email");
    }
    User created = user;
    created.no = static_cast<UserNo>(db.inserted_key());
    return created;
}

Result<User> find_user_by_email(Connection& db, const std::string& email) {
    auto found = db.use("SELECT " USER_COLUMNS("") "FROM users WHERE email = ?1 AND deleted_at IS NULL", email);
    return one_user(found);
}

Result<User> find_user(Connection& db, UserNo no) {
    auto found = db.use("SELECT " USER_COLUMNS("") "FROM users WHERE user_no = ?1 AND deleted_at IS NULL", no);
    return one_user(found);
}

Result<std::vector<User>> list_users(Connection& db) {
    auto found =
        db.use("SELECT " USER_COLUMNS("") "FROM users WHERE deleted_at IS NULL ORDER BY user_no LIMIT ?1", kUsersMax);
    std::vector<User> users;
    for (;;) {
        TRY(const bool row, found.step());
        if (!row) {
            return users;
        }
        users.push_back(read_user(found));
    }
}

Result<std::int64_t> count_users(Connection& db) {
    auto found = db.use("SELECT count(*) FROM users WHERE deleted_at IS NULL");
    TRY(const bool row, found.step());
    return row ? found.integer(0) : 0;
}

Status set_password(
    Connection& db,
    UserNo user,
    const std::string& password_hash,
    const std::optional<SessionId>& keep
) {
    TRY_VOID(
        db.run("UPDATE users SET password_hash = ?2 WHERE user_no = ?1 AND deleted_at IS NULL", user, password_hash)
    );
    if (db.changed_rows() == 0) {
        return base::not_found("There is no such user.");
    }
    return db.run("DELETE FROM sessions WHERE user_no = ?1 AND id IS NOT ?2", user, keep);
}

}  // namespace confab::store::sqlite
