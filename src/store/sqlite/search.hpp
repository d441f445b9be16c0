// The search index: kept up behind the writes, and asked. One user's messages are one range of its row ids, newest
// last.
#pragma once

#include "store/search_rows.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

// As SearchStore::search.
Result<SearchPage> search(Connection& db, UserNo user, const SearchRequest& request);

// Indexes some of what is queued; true: there is more. Some 10 ms.
Result<bool> index_step(Connection& db);

// To be called before a body is wiped or deleted, in the same transaction: takes its words out of the index. The item's
// row must still be there.
Status forget_in_search(Connection& db, std::int64_t mid);

// The same for a conversation's title, before it is wiped.
Status forget_title_in_search(Connection& db, ConversationNo conversation);

// SQLite 3.40 only marks the words of a deleted message: they stand in the index until its segments are merged. Merges
// some when something was deleted since the last time; true: there is more.
Result<bool> purge_step(Connection& db);

}  // namespace confab::store::sqlite
