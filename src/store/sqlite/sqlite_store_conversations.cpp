// SqliteStore's calls about conversations and their items: each goes to the thread it belongs to.
#include "store/sqlite/conversations.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/sqlite/wipe.hpp"

namespace confab::store {

using sqlite::Connection;

Task<Result<Conversation>> SqliteStore::create_conversation(NewConversation conversation) {
    auto work = [conversation = std::move(conversation)](Connection& db) {
        return sqlite::create_conversation(db, conversation);
    };
    return write(std::move(work));
}

Task<Result<Conversation>> SqliteStore::find_conversation(UserNo user, ConversationId id) {
    auto work = [user, id](Connection& db) { return sqlite::find_conversation(db, user, id); };
    return read(std::move(work));
}

Task<Result<Conversation>> SqliteStore::update_conversation(UserNo user, ConversationId id, ConversationPatch patch) {
    auto work = [user, id, patch = std::move(patch)](Connection& db) {
        return sqlite::update_conversation(db, user, id, patch);
    };
    return write(std::move(work));
}

Task<Result<std::optional<ResponseId>>> SqliteStore::delete_conversation(UserNo user, ConversationId id) {
    auto work = [user, id](Connection& db) { return sqlite::delete_conversation(db, user, id); };
    return write(std::move(work));
}

Task<Result<Page<Conversation>>> SqliteStore::list_conversations(UserNo user, PageRequest<ConversationId> request) {
    auto work = [user, request](Connection& db) { return sqlite::list_conversations(db, user, request); };
    return read(std::move(work));
}

Task<Result<std::vector<Item>>> SqliteStore::append_items(UserNo user, ConversationId id, std::vector<NewItem> items) {
    auto work = [user, id, items = std::move(items)](Connection& db) {
        return sqlite::append_items(db, user, id, items);
    };
    return write(std::move(work));
}

Task<Result<Item>> SqliteStore::find_item(UserNo user, ConversationId conversation, ItemId item) {
    auto work = [user, conversation, item](Connection& db) { return sqlite::find_item(db, user, conversation, item); };
    return read(std::move(work));
}

Task<Result<std::vector<Item>>> SqliteStore::find_items(UserNo user, std::vector<ItemId> ids, std::size_t bytes_max) {
    auto work = [user, ids = std::move(ids), bytes_max](Connection& db) {
        return sqlite::find_items(db, user, ids, bytes_max);
    };
    return read(std::move(work));
}

Task<Result<Conversation>> SqliteStore::delete_item(UserNo user, ConversationId conversation, ItemId item) {
    auto work = [user, conversation, item](Connection& db) {
        return sqlite::delete_item(db, user, conversation, item);
    };
    return write(std::move(work));
}

}  // namespace confab::store
