// Roles and suspension. Whatever takes somebody's access away takes the sessions, keys and invitations with it, in one
// transaction: nobody is let in by what is left over.
#include "store/sqlite/people.hpp"

#include "store/import_rows.hpp"
#include "store/sqlite/accounts.hpp"
#include "store/sqlite/model_access.hpp"
#include "store/sqlite/usage.hpp"

namespace confab::store::sqlite {

namespace {

bool is_active_administrator(const User& user) {
    return user.role == Role::admin && !user.suspended_at;
}

Status end_invitations_of(Connection& db, UserNo user) {
    return db.run("DELETE FROM invitations WHERE created_by = ?1", user);
}

User patched(User user, const UserPatch& patch) {
    user.name = patch.name.value_or(user.name);
    user.role = patch.role.value_or(user.role);
    if (patch.suspended && *patch.suspended != user.suspended_at.has_value()) {
        user.suspended_at = *patch.suspended ? std::optional(base::unix_now()) : std::nullopt;
    }
    return user;
}

}  // namespace

Status check_other_administrator(Connection& db, UserNo user) {
    auto other = db.use(
        "SELECT 1 FROM users INDEXED BY users_administrators "
        "WHERE role = 1 AND suspended_at IS NULL AND deleted_at IS NULL AND user_no <> ?1 LIMIT 1",
        user
    );
    TRY(const bool row, other.step());
    if (!row) {
        return base::fail(
            base::Errc::conflict,
            "This is the last active administrator. Make somebody else one first.",
            "last_administrator"
        );
    }
    return {};
}

Result<User> find_user_by_id(Connection& db, UserId id) {
    auto found = db.use("SELECT " USER_COLUMNS("") "FROM users WHERE id = ?1 AND deleted_at IS NULL", id);
    return one_user(found);
}

Result<Page<User>> list_people(Connection& db, const PageRequest<UserId>& request) {
    UserId last;
    last.bytes.fill(request.order == Order::ascending ? 0x00 : 0xFF);
    const UserId after = request.after.value_or(last);
    auto rows =
        request.order == Order::ascending
            ? db.use(
                  "SELECT " USER_COLUMNS("") "FROM users WHERE id > ?1 AND deleted_at IS NULL ORDER BY id LIMIT ?2",
                  after,
                  request.limit + 1
              )
            : db.use(
                  "SELECT " USER_COLUMNS(""
                  ) "FROM users WHERE id < ?1 AND deleted_at IS NULL ORDER BY id DESC LIMIT ?2",
                  after,
                  request.limit + 1
              );
    Page<User> page;
    while (true) {
        TRY(const bool row, rows.step());
        page.has_more = row && page.rows.size() == request.limit;
        if (!row || page.has_more) {
            return page;
        }
        page.rows.push_back(read_user(rows));
    }
}

Result<User> change_user(Connection& db, UserId id, const UserPatch& patch) {
    TRY(const User before, find_user_by_id(db, id));
    const User after = patched(before, patch);
    if (is_active_administrator(before) && !is_active_administrator(after)) {
        TRY_VOID(check_other_administrator(db, before.no));
        TRY_VOID(end_invitations_of(db, before.no));
    }
    TRY_VOID(db.run(
        "UPDATE users SET name = ?2, role = ?3, suspended_at = ?4 WHERE user_no = ?1",
        before.no,
        after.name,
        after.role,
        after.suspended_at
    ));
    if (!after.may_enter()) {
        TRY_VOID(end_access(db, before.no, std::nullopt));
    }
    return after;
}

Result<EndedAccess> end_access(Connection& db, UserNo user, const std::optional<SessionId>& keep) {
    EndedAccess ended;
    TRY_VOID(db.run("DELETE FROM sessions WHERE user_no = ?1 AND id IS NOT ?2", user, keep));
    ended.sessions = db.changed_rows();
    TRY_VOID(delete_limits_of_keys_of(db, user));
    TRY_VOID(db.run("DELETE FROM api_keys WHERE user_no = ?1", user));
    ended.keys = db.changed_rows();
    return ended;
}

// The address is replaced by one that nobody can have: it holds no "@".
Result<UserNo> delete_user(Connection& db, UserId id) {
    TRY(const User user, find_user_by_id(db, id));
    if (is_active_administrator(user)) {
        TRY_VOID(check_other_administrator(db, user.no));
    }
    TRY_VOID(end_invitations_of(db, user.no));
    TRY_VOID(end_access(db, user.no, std::nullopt));
    TRY_VOID(delete_limits_of_user(db, user.id));
    TRY_VOID(db.run("DELETE FROM identities WHERE user_no = ?1", user.no));
    TRY_VOID(forget_model_person(db, user.no));
    TRY_VOID(db.run(
        "UPDATE users SET email = ?2, name = '', password_hash = '', role = 0, deleted_at = ?3, wiping = 1 "
        "WHERE user_no = ?1",
        user.no,
        "deleted " + user.id.str(),
        base::unix_now()
    ));
    // A running import finds that it was cancelled; one that waits fails when its turn comes. Both remove their file.
    TRY_VOID(db.run(
        "UPDATE imports SET status = ?2, finished_at = ?4 WHERE user_no = ?1 AND status < 3 AND status = ?3",
        user.no,
        ImportStatus::cancelled,
        ImportStatus::running,
        base::unix_now()
    ));
    return user.no;
}

}  // namespace confab::store::sqlite
