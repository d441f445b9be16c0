// Signing up, with an invitation or without.
#include "base/clock.hpp"
#include "store/sqlite/accounts.hpp"
#include "store/sqlite/people.hpp"

namespace confab::store::sqlite {

namespace {

#define INVITATION_COLUMNS \
    "SELECT id, token_hash, created_by, note, role, uses_max, uses, created_at, expires_at FROM invitations "

Invitation read_invitation(const Statement& row) {
    Invitation invitation;
    invitation.id = row.get<InvitationId>(0);
    invitation.token_hash = row.get<Sha256>(1);
    invitation.created_by = row.get<UserNo>(2);
    invitation.note = row.get<std::string>(3);
    invitation.role = row.get<Role>(4);
    invitation.uses_max = row.integer(5);
    invitation.uses = row.integer(6);
    invitation.created_at = row.integer(7);
    invitation.expires_at = row.integer(8);
    return invitation;
}

Status check_pending_count(Connection& db) {
    auto counted = db.use("SELECT count(*) FROM users INDEXED BY users_pending WHERE role = 2");
    TRY_VOID(counted.step());
    if (counted.integer(0) >= kPendingUsersMax) {
        return base::fail(
            base::Errc::rate_limited,
            "1,000 people wait already for an administrator to let them in. Ask one, or try again later.",
            "too_many_pending"
        );
    }
    return {};
}

}  // namespace

Result<User> sign_up(Connection& db, const User& user, const std::optional<Sha256>& invitation) {
    User person = user;
    if (invitation) {
        TRY(const Invitation found, find_open_invitation(db, *invitation));
        person.role = found.role;
        TRY_VOID(db.run("UPDATE invitations SET uses = uses + 1 WHERE id = ?1", found.id));
    }
    if (person.role == Role::pending) {
        TRY_VOID(check_pending_count(db));
    }
    return create_user(db, person, IfFirst::no);
}

Result<Invitation> find_open_invitation(Connection& db, const Sha256& token_hash) {
    auto found = db.use(
        INVITATION_COLUMNS "WHERE token_hash = ?1 AND uses < uses_max AND expires_at > ?2", token_hash, base::unix_now()
    );
    TRY(const bool row, found.step());
    if (!row) {
        return base::fail(
            base::Errc::forbidden,
            "This invitation is not valid: it was used, withdrawn, or has expired. Ask for a new one.",
            "invitation_invalid",
            "invitation"
        );
    }
    return read_invitation(found);
}

Status create_invitation(Connection& db, const Invitation& invitation) {
    {
        auto counted = db.use("SELECT count(*) FROM invitations");
        TRY_VOID(counted.step());
        if (counted.integer(0) >= kInvitationsMax) {
            return base::invalid(
                "invitation", "There are 1,000 invitations already. Withdraw some first.", "too_many_invitations"
            );
        }
    }
    return db.run(
        "INSERT INTO invitations (id, token_hash, created_by, note, role, uses_max, uses, created_at, expires_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        invitation.id,
        invitation.token_hash,
        invitation.created_by,
        invitation.note,
        invitation.role,
        invitation.uses_max,
        invitation.uses,
        invitation.created_at,
        invitation.expires_at
    );
}

Result<Page<Invitation>> list_invitations(Connection& db, const PageRequest<InvitationId>& request) {
    InvitationId last;
    last.bytes.fill(request.order == Order::ascending ? 0x00 : 0xFF);
    const InvitationId after = request.after.value_or(last);
    auto rows = request.order == Order::ascending
                    ? db.use(INVITATION_COLUMNS "WHERE id > ?1 ORDER BY id LIMIT ?2", after, request.limit + 1)
                    : db.use(INVITATION_COLUMNS "WHERE id < ?1 ORDER BY id DESC LIMIT ?2", after, request.limit + 1);
    Page<Invitation> page;
    while (true) {
        TRY(const bool row, rows.step());
        page.has_more = row && page.rows.size() == request.limit;
        if (!row || page.has_more) {
            return page;
        }
        page.rows.push_back(read_invitation(rows));
    }
}

Status delete_invitation(Connection& db, InvitationId id) {
    TRY_VOID(db.run("DELETE FROM invitations WHERE id = ?1", id));
    if (db.changed_rows() == 0) {
        return base::not_found("Invitation with id '" + id.str() + "' not found.", "invitation_not_found");
    }
    return {};
}

Status delete_invitations_expired_before(Connection& db, UnixSeconds time) {
    return db.run("DELETE FROM invitations WHERE expires_at < ?1", time);
}

#undef INVITATION_COLUMNS

}  // namespace confab::store::sqlite
