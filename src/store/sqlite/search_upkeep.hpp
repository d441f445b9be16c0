// The search index follows the writes: new messages are added behind them, the words of deleted ones purged.
#pragma once

#include "store/rows.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

// What the index knows of a message: its text, at most kIndexedBytesMax of the body. Shown in hits and ranked as well.
Result<std::string> read_searched_text(Connection& db, std::int64_t mid, BodyFormat format);

// Indexes some of what is queued; true: there is more. Some 10 ms.
Result<bool> index_step(Connection& db);

// Merges some of the segments that indexing left, so that a search has few of them to look into; true: there may be more.
// To be called when everything is indexed. Some 5 ms.
Result<bool> merge_step(Connection& db);

// To be called before a body is wiped or deleted, in the same transaction: takes its words out of the index. The item's
// row must still be there.
Status forget_in_search(Connection& db, std::int64_t mid);

// The same for a conversation's title, before it is wiped.
Status forget_title_in_search(Connection& db, ConversationNo conversation);

// SQLite 3.40 only marks the words of a deleted message: they stand in the index until its segments are merged. Merges
// some when something was deleted since the last time; true: there is more.
Result<bool> purge_step(Connection& db);

}  // namespace confab::store::sqlite
