// Questions to the search index. One user's messages are one range of its row ids, newest last.
#pragma once

#include "store/search_rows.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

// As SearchStore::search.
Result<SearchPage> search(Connection& db, UserNo user, const SearchRequest& request);

}  // namespace confab::store::sqlite
