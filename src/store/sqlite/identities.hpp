// People by what a provider of identities knows them by. The meaning of each call is that of IdentityStore; a call that
// changes something expects a transaction.
#pragma once

#include "store/identity_store.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

Result<User> find_user_by_identity(Connection& db, const Identity& identity);
Status link_identity(Connection& db, UserNo user, const Identity& identity);
Result<User> create_user_with_identity(Connection& db, const User& user, const Identity& identity);

}  // namespace confab::store::sqlite
