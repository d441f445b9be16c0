// SqliteStore's calls about who may use which model: each goes to the thread it belongs to.
#include "store/sqlite/model_access.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::store {

using sqlite::Connection;

Task<Result<ModelAccess>> SqliteStore::get_model_access() {
    return read([](Connection& db) { return sqlite::get_model_access(db); });
}

Task<Result<ModelAccess>> SqliteStore::change_model_rule(ModelRuleChange change) {
    auto work = [change = std::move(change)](Connection& db) { return sqlite::change_model_rule(db, change); };
    return write(std::move(work));
}

}  // namespace confab::store
