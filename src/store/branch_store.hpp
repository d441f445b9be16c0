// The branches of conversations: switching between them, the tree as a whole, and copies of a path.
#pragma once

#include "base/error.hpp"
#include "net/task.hpp"
#include "store/branch_rows.hpp"

namespace confab::store {

enum class Descend : bool { no, yes };

class BranchStore {
public:
    virtual ~BranchStore() = default;

    // A page of a path, oldest or newest first, or oldest first around a place; capped by rows and by kPageBytesMax.
    // Items know their position, the item before them, and their siblings. `not_found` (item_not_found)
    // for a leaf or an item to read around that is not the conversation's, `invalid_request` (param after, around) for an
    // item that is not on the path.
    virtual net::Task<base::Result<ItemPage>> list_items(UserNo user, ConversationId id, ItemPageRequest request) = 0;

    // Makes `item` the newest visible one (nothing: shows an empty path); with Descend::yes the leaf last looked at
    // beneath it. `not_found` (item_not_found, param item_id).
    virtual net::Task<base::Result<Conversation>> set_head(
        UserNo user,
        ConversationId id,
        std::optional<ItemId> item,
        Descend descend
    ) = 0;

    // All items of all branches, branch by branch, so parents come before their children.
    virtual net::Task<base::Result<Page<TreeItem>>> list_tree(
        UserNo user,
        ConversationId id,
        PageRequest<ItemId> request
    ) = 0;

    // A new conversation with a copy of the path up to `item`. Copied in steps between other people's writes, and not
    // visible before it is whole.
    virtual net::Task<base::Result<Conversation>> fork_conversation(UserNo user, ConversationId id, ItemId item) = 0;
};

}  // namespace confab::store
