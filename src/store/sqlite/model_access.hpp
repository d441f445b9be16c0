// Which models which people may use. The meaning of each call is that of ModelAccessStore; a call that changes something
// expects a transaction.
#pragma once

#include "store/model_access_store.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

Result<ModelAccess> get_model_access(Connection& db);
Result<ModelAccess> change_model_rule(Connection& db, const ModelRuleChange& change);

// The person leaves all lists.
Status forget_model_person(Connection& db, UserNo user);

}  // namespace confab::store::sqlite
