// What administrators do with people, and signing up. The meaning of each call is that of PeopleStore; a call that
// changes something expects a transaction.
#pragma once

#include <optional>

#include "store/people_rows.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

Result<User> find_user_by_id(Connection& db, UserId id);
Result<Page<User>> list_people(Connection& db, const PageRequest<UserId>& request);
Result<User> change_user(Connection& db, UserId id, const UserPatch& patch);
Result<EndedAccess> end_access(Connection& db, UserNo user, const std::optional<SessionId>& keep);
Result<UserNo> delete_user(Connection& db, UserId id);

Result<User> sign_up(Connection& db, const User& user, const std::optional<Sha256>& invitation);
Result<Invitation> find_open_invitation(Connection& db, const Sha256& token_hash);
Status create_invitation(Connection& db, const Invitation& invitation);
Result<Page<Invitation>> list_invitations(Connection& db, const PageRequest<InvitationId>& request);
Status delete_invitation(Connection& db, InvitationId id);
Status delete_invitations_expired_before(Connection& db, UnixSeconds time);

// `conflict` (last_administrator) when nobody else is an active administrator.
Status check_other_administrator(Connection& db, UserNo user);

// One bounded step of wiping what deleted people had; true: there may be more. The writer's housekeeping.
Result<bool> wipe_users_step(Connection& db);

// What was under way when the person was deleted may have added something since: has it wiped. Removes the row of one
// who left nothing and was deleted kDeletedUserKept ago.
Status look_again_at_deleted_user(Connection& db, UserNo user, UnixSeconds now);

}  // namespace confab::store::sqlite
