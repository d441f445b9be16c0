// Relations between items: which item stands before another, and which could stand in its place.
//
// What follows one item are its own branch's next item and the branches that leave there. They are siblings; the older
// has the smaller branch number, for a branch is only opened where something follows already. A branch without visible
// items counts for nothing.
#pragma once

#include <span>

#include "store/sqlite/items.hpp"

namespace confab::store::sqlite {

// Fills in `parent` and `siblings` of items of one path, whatever their order, each next to the other but for deleted
// ones. Costs a few seeks for the whole, and a few for each place where branches leave.
Status add_relations(Connection& db, ConversationNo conversation, std::span<Item> items);

}  // namespace confab::store::sqlite
