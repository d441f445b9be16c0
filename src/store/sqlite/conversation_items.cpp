// The items of a conversation as their owner sees them.
#include "base/clock.hpp"
#include "store/sqlite/conversations.hpp"
#include "store/sqlite/items.hpp"
#include "store/sqlite/siblings.hpp"

namespace confab::store::sqlite {

namespace {

std::unexpected<base::Error> no_such_item() {
    return base::not_found("There is no such item.");
}

// The items as they were answered the first time; nothing when the first id is new.
Result<std::optional<std::vector<Item>>> find_repeated(
    Connection& db,
    ConversationNo conversation,
    const std::vector<NewItem>& items
) {
    std::vector<Item> repeated;
    for (const NewItem& item : items) {
        TRY(const auto place, find_item_place(db, item.id));
        if (!place && repeated.empty()) {
            return std::nullopt;
        }
        if (!place || place->conversation != conversation) {
            return base::fail(base::Errc::conflict, "Some of these item ids are taken.", "already_exists", "items");
        }
        TRY(Item found, load_item(db, *place));
        repeated.push_back(std::move(found));
    }
    TRY_VOID(add_relations(db, conversation, repeated));
    return repeated;
}

Item item_as_appended(const NewItem& appended, BranchNo branch, Position position, UnixSeconds now) {
    Item item;
    item.id = appended.id;
    item.role = appended.role;
    item.status = appended.status;
    item.format = appended.format;
    item.body = appended.body;
    item.bytes = static_cast<std::int64_t>(appended.body.size());
    item.tokens = appended.tokens;
    item.branch = branch;
    item.position = position;
    item.created_at = now;
    return item;
}

}  // namespace

Result<std::vector<Item>> append_items(
    Connection& db,
    UserNo user,
    ConversationId id,
    const std::vector<NewItem>& items
) {
    TRY(const ConversationHandle handle, open_conversation(db, user, id));
    TRY(auto repeated, find_repeated(db, handle.no, items));
    if (repeated) {
        return *std::move(repeated);
    }
    if (handle.in_trash) {
        return conversation_in_trash();
    }
    TRY(const bool locked, is_locked(db, handle.no));
    if (locked) {
        return conversation_locked();
    }
    const UnixSeconds now = base::unix_now();
    TRY(Branch branch, load_branch(db, handle.no, handle.active_branch));
    Position position = branch.head;
    TRY_VOID(append_to_branch(db, {user, handle.no, std::nullopt, now}, branch, items));
    TRY_VOID(save_branch(db, handle.no, branch));
    TRY_VOID(db.run("UPDATE conversations SET updated_at = ?2 WHERE conv = ?1", handle.no, now));
    std::vector<Item> appended;
    for (const NewItem& item : items) {
        appended.push_back(item_as_appended(item, branch.no, ++position, now));
    }
    TRY_VOID(add_relations(db, handle.no, appended));
    return appended;
}

Result<Item> find_item(Connection& db, UserNo user, ConversationId conversation, ItemId item) {
    TRY(const ConversationHandle handle, open_conversation(db, user, conversation));
    TRY(const auto place, find_item_place(db, item));
    if (!place || place->conversation != handle.no) {
        return no_such_item();
    }
    TRY(Item found, load_item(db, *place));
    TRY_VOID(add_relations(db, handle.no, std::span(&found, 1)));
    return found;
}

Result<std::vector<Item>> find_items(
    Connection& db,
    UserNo user,
    const std::vector<ItemId>& ids,
    std::size_t bytes_max
) {
    std::vector<Item> items;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        TRY(const auto place, find_item_place(db, ids[i]));
        bool own = false;
        std::size_t size = 0;
        if (place) {
            auto found = db.use(
                "SELECT i.bytes FROM conversations c CROSS JOIN items i ON i.conv = c.conv WHERE c.conv = ?1 "
                "AND i.br = ?2 AND i.pos = ?3 AND c.user_no = ?4 AND c.deleted_at IS NULL AND i.deleted_at IS NULL",
                place->conversation,
                place->branch,
                place->position,
                user
            );
            TRY(own, found.step());
            size = own ? static_cast<std::size_t>(found.integer(0)) : 0;
        }
        if (!own) {
            return base::not_found("Item with id '" + ids[i].str() + "' not found.", "not_found", std::to_string(i));
        }
        bytes += size;
        if (bytes > bytes_max) {
            return base::fail(base::Errc::too_large, "The items referred to are too long.", "items_too_large");
        }
        TRY(Item item, load_item(db, *place));
        items.push_back(std::move(item));
    }
    return items;
}

Result<Conversation> delete_item(Connection& db, UserNo user, ConversationId conversation, ItemId item) {
    TRY(const ConversationHandle handle, open_conversation(db, user, conversation));
    TRY(const auto place, find_item_place(db, item));
    if (!place || place->conversation != handle.no) {
        return no_such_item();
    }
    TRY_VOID(delete_item_at(db, *place, base::unix_now()));
    return find_conversation(db, user, conversation);
}

}  // namespace confab::store::sqlite
