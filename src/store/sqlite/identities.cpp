#include "store/sqlite/identities.hpp"

#include "store/sqlite/accounts.hpp"
#include "store/sqlite/people.hpp"

namespace confab::store::sqlite {

Result<User> find_user_by_identity(Connection& db, const Identity& identity) {
    auto found = db.use(
        "SELECT " USER_COLUMNS("u.") "FROM identities i JOIN users u ON u.user_no = i.user_no "
        "WHERE i.issuer = ?1 AND i.subject = ?2 AND u.deleted_at IS NULL",
        identity.issuer,
        identity.subject
    );
    return one_user(found);
}

Status link_identity(Connection& db, UserNo user, const Identity& identity) {
    {
        const auto known = find_user_by_identity(db, identity);
        if (known && known->no == user) {
            return {};  // two sign-ins at once, both the first
        }
    }
    TRY_VOID(find_user(db, user));
    TRY_VOID(db.run(
        "INSERT INTO identities (issuer, subject, user_no, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        identity.issuer,
        identity.subject,
        user,
        base::unix_now()
    ));
    if (db.changed_rows() == 0) {
        return base::fail(
            base::Errc::conflict, "This account belongs to somebody else at the identity provider.", "identity_taken"
        );
    }
    return {};
}

Result<User> create_user_with_identity(Connection& db, const User& user, const Identity& identity) {
    {
        auto known = find_user_by_identity(db, identity);
        if (known || known.error().errc != base::Errc::not_found) {
            return known;
        }
    }
    TRY(User created, sign_up(db, user, std::nullopt));
    TRY_VOID(link_identity(db, created.no, identity));
    return created;
}

}  // namespace confab::store::sqlite
