// PeopleStore: who may come in, with which role, and how they leave: what administrators do, signing up, invitations.
//
// An administrator is active when neither suspended nor deleted. The last active one cannot be suspended, deleted or
// given another role: `conflict` (last_administrator), decided in the transaction that would do it.
#pragma once

#include <optional>

#include "base/error.hpp"
#include "net/task.hpp"
#include "store/people_rows.hpp"

namespace confab::store {

class PeopleStore {
public:
    virtual ~PeopleStore() = default;

    virtual net::Task<base::Result<User>> find_user_by_id(UserId id) = 0;
    // By id, that is by time of making. An unknown cursor is a place like any other.
    virtual net::Task<base::Result<Page<User>>> list_people(PageRequest<UserId> request) = 0;
    // Who is no member nor administrator afterwards, or suspended, has no sessions, keys and invitations any more.
    virtual net::Task<base::Result<User>> change_user(UserId id, UserPatch patch) = 0;
    // Ends all sessions but `keep`, and all keys.
    virtual net::Task<base::Result<EndedAccess>> end_access(UserNo user, std::optional<SessionId> keep) = 0;
    // Gone at once, the address is free again. All that the person had is wiped in bounded steps between other writes,
    // also after a crash; what was used stays counted in the ledger, under a number that names nobody.
    virtual net::Task<base::Result<UserNo>> delete_user(UserId id) = 0;

    // Makes the account; with an invitation's hash in one transaction with its use, and with its role. `conflict`
    // (email_taken), `forbidden` (invitation_invalid), `rate_limited` (too_many_pending) beyond kPendingUsersMax.
    virtual net::Task<base::Result<User>> sign_up(User user, std::optional<Sha256> invitation) = 0;
    // `forbidden` (invitation_invalid) when unknown, used up or expired.
    virtual net::Task<base::Result<Invitation>> find_open_invitation(Sha256 token_hash) = 0;
    // `invalid_request` (too_many_invitations) beyond kInvitationsMax.
    virtual net::Task<base::Status> create_invitation(Invitation invitation) = 0;
    virtual net::Task<base::Result<Page<Invitation>>> list_invitations(PageRequest<InvitationId> request) = 0;
    virtual net::Task<base::Status> delete_invitation(InvitationId id) = 0;
    virtual net::Task<base::Status> delete_invitations_expired_before(UnixSeconds time) = 0;
};

}  // namespace confab::store
