// Which branch a conversation shows. Switching remembers for every place where branches leave which way was taken last,
// so that a switch to an item leads on to the leaf that was last looked at beneath it.
#pragma once

#include "store/branch_store.hpp"
#include "store/sqlite/conversations.hpp"
#include "store/sqlite/items.hpp"

namespace confab::store::sqlite {

// As BranchStore::set_head.
Result<Conversation> set_head(
    Connection& db,
    UserNo user,
    ConversationId id,
    const std::optional<ItemId>& item,
    Descend descend
);

// Makes `leaf` the branch that is shown, and notes the way to it.
Status activate_branch(Connection& db, ConversationNo conversation, BranchNo leaf);

// The branch that goes on right after `item` (nothing: from the beginning): the item's own when nothing follows it
// there, else one without items, made if need be. `not_found` (item_not_found, `param`).
Result<Branch> branch_after(
    Connection& db,
    ConversationNo conversation,
    const std::optional<ItemId>& item,
    std::string_view param
);

// The place of an item that is not deleted. `not_found` (item_not_found, `param`) when there is none in the conversation.
Result<ItemPlace> find_visible_place(
    Connection& db,
    ConversationNo conversation,
    const ItemId& item,
    std::string_view param
);

// The branch that the path looked at last beneath this place ends with.
Result<BranchNo> find_leaf_beneath(Connection& db, const ItemPlace& place);

}  // namespace confab::store::sqlite
