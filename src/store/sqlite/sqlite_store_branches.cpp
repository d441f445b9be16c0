// SqliteStore's calls about branches, and the copy of a path, which is many calls of the writer.
#include "store/sqlite/copies.hpp"
#include "store/sqlite/head.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::store {

using sqlite::Connection;

Task<Result<ItemPage>> SqliteStore::list_items(UserNo user, ConversationId id, ItemPageRequest request) {
    auto work = [user, id, request](Connection& db) { return sqlite::list_items(db, user, id, request); };
    return read(std::move(work));
}

Task<Result<Conversation>> SqliteStore::set_head(
    UserNo user,
    ConversationId id,
    std::optional<ItemId> item,
    Descend descend
) {
    auto work = [user, id, item, descend](Connection& db) { return sqlite::set_head(db, user, id, item, descend); };
    return write(std::move(work));
}

Task<Result<Page<TreeItem>>> SqliteStore::list_tree(UserNo user, ConversationId id, PageRequest<ItemId> request) {
    auto work = [user, id, request](Connection& db) { return sqlite::list_tree(db, user, id, request); };
    return read(std::move(work));
}

Task<Result<Conversation>> SqliteStore::fork_conversation(UserNo user, ConversationId id, ItemId item) {
    auto begin = [user, id, item](Connection& db) { return sqlite::begin_copy(db, user, id, item); };
    CO_TRY(sqlite::Copy copy, co_await write(std::move(begin)));
    std::optional<base::Error> failure;
    while (copy.next <= copy.last && !failure) {
        auto step = [copy](Connection& db) { return sqlite::copy_some(db, copy); };
        auto copied = co_await write(std::move(step));
        if (copied) {
            copy = *copied;
        } else {
            failure = copied.error();
        }
    }
    if (!failure) {
        auto finish = [copy](Connection& db) { return sqlite::finish_copy(db, copy); };
        auto whole = co_await write(std::move(finish));
        if (whole) {
            co_return whole;
        }
        failure = whole.error();
    }
    auto abandon = [copy](Connection& db) { return sqlite::abandon_copy(db, copy); };
    (void)co_await write(std::move(abandon));  // the first error tells; at the next start this is made up for
    co_return std::unexpected(*std::move(failure));
}

}  // namespace confab::store
