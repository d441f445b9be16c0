// Relations between items: which item stands before another, and which could stand in its place.
//
// A deleted item is passed over: what follows it follows the item before it. So the children of an item are the next item
// of its own branch, those that the branches leaving there begin with, and what is found in the same way behind deleted
// ones. A branch without visible items counts for nothing.
#pragma once

#include <span>

#include "store/sqlite/items.hpp"

namespace confab::store::sqlite {

// Fills in `parent` and `siblings` of items of one path, whatever their order, each next to the other but for deleted
// ones. Costs a seek for each, and a few for each branch that leaves beside one.
Status add_relations(Connection& db, ConversationNo conversation, std::span<Item> items);

}  // namespace confab::store::sqlite
