// Conversations: creating, finding, changing, listing; and the pages of their items. The meaning of each call is that
// of ConversationStore. Deleting is in wipe.hpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/sqlite/branches.hpp"
#include "store/sqlite/connection.hpp"
#include "store/store.hpp"

namespace confab::store::sqlite {

Result<Conversation> create_conversation(Connection& db, const NewConversation& conversation);
Result<Conversation> find_conversation(Connection& db, UserNo user, ConversationId id);
// By its number, whoever has it.
Result<Conversation> load_conversation(Connection& db, ConversationNo conversation);
Result<Conversation> update_conversation(
    Connection& db,
    UserNo user,
    ConversationId id,
    const ConversationPatch& patch
);
Result<Page<Conversation>> list_conversations(Connection& db, UserNo user, const PageRequest<ConversationId>& request);

Result<std::vector<Item>> append_items(
    Connection& db,
    UserNo user,
    ConversationId id,
    const std::vector<NewItem>& items
);
Result<ItemPage> list_items(Connection& db, UserNo user, ConversationId id, const ItemPageRequest& request);
Result<Page<TreeItem>> list_tree(Connection& db, UserNo user, ConversationId id, const PageRequest<ItemId>& request);
Result<Item> find_item(Connection& db, UserNo user, ConversationId conversation, ItemId item);
Result<std::vector<Item>> find_items(
    Connection& db,
    UserNo user,
    const std::vector<ItemId>& ids,
    std::size_t bytes_max
);
Result<Conversation> delete_item(Connection& db, UserNo user, ConversationId conversation, ItemId item);

// What a call that goes on with a conversation needs of it.
struct ConversationHandle {
    ConversationNo no{};
    BranchNo active_branch{};
    bool in_trash = false;
};

// `not_found` when there is none, it is deleted or hidden, or somebody else's.
Result<ConversationHandle> open_conversation(Connection& db, UserNo user, ConversationId id);

// Whether an answer is being made in the conversation, or on one branch of it.
Result<bool> is_locked(Connection& db, ConversationNo conversation);
Result<bool> is_locked(Connection& db, ConversationNo conversation, BranchNo branch);
std::unexpected<base::Error> conversation_locked();
// What is in the trash is read, not gone on with.
std::unexpected<base::Error> conversation_in_trash();

}  // namespace confab::store::sqlite
