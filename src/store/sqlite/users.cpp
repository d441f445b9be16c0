#include "store/sqlite/accounts.hpp"

namespace confab::store::sqlite {

namespace {

constexpr int kUsersMax = 10'000;

// Columns: user_no, id, email, name, role, password_hash, created_at.
User read_user(const Statement& row) {
    User user;
    user.no = row.get<UserNo>(0);
    user.id = row.get<UserId>(1);
    user.email = row.get<std::string>(2);
    user.name = row.get<std::string>(3);
    user.role = row.get<Role>(4);
    user.password_hash = row.get<std::string>(5);
    user.created_at = row.integer(6);
    return user;
}

Result<User> one_user(Statement& found) {
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("There is no such user.");
    }
    return read_user(found);
}

}  // namespace

Result<User> create_user(Connection& db, const User& user, IfFirst if_first) {
    {
        auto repeated = db.use(
            "SELECT user_no, id, email, name, role, password_hash, created_at FROM users WHERE id = ?1", user.id
        );
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
    auto found =
        db.use("SELECT user_no, id, email, name, role, password_hash, created_at FROM users WHERE email = ?1", email);
    return one_user(found);
}

Result<User> find_user(Connection& db, UserNo no) {
    auto found =
        db.use("SELECT user_no, id, email, name, role, password_hash, created_at FROM users WHERE user_no = ?1", no);
    return one_user(found);
}

Result<std::vector<User>> list_users(Connection& db) {
    auto found = db.use(
        "SELECT user_no, id, email, name, role, password_hash, created_at FROM users ORDER BY user_no LIMIT ?1",
        kUsersMax
    );
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
    auto found = db.use("SELECT count(*) FROM users");
    TRY(const bool row, found.step());
    return row ? found.integer(0) : 0;
}

Status set_password(
    Connection& db,
    UserNo user,
    const std::string& password_hash,
    const std::optional<SessionId>& keep
) {
    TRY_VOID(db.run("UPDATE users SET password_hash = ?2 WHERE user_no = ?1", user, password_hash));
    if (db.changed_rows() == 0) {
        return base::not_found("There is no such user.");
    }
    return db.run("DELETE FROM sessions WHERE user_no = ?1 AND id IS NOT ?2", user, keep);
}

}  // namespace confab::store::sqlite
