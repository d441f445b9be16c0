// SqliteStore's calls about finding one's way in many conversations: each goes to the thread it belongs to.
#include "store/sqlite/organise.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::store {

using sqlite::Connection;

Task<Result<Page<Conversation>>> SqliteStore::list_filtered(
    UserNo user,
    ConversationFilter filter,
    PageRequest<ConversationId> request
) {
    auto work = [user, filter = std::move(filter), request](Connection& db) {
        return sqlite::list_filtered(db, user, filter, request);
    };
    return read(std::move(work));
}

Task<Result<std::vector<Folder>>> SqliteStore::list_folders(UserNo user) {
    auto work = [user](Connection& db) { return sqlite::list_folders(db, user); };
    return read(std::move(work));
}

Task<Result<Folder>> SqliteStore::create_folder(UserNo user, std::string name) {
    auto work = [user, name = std::move(name)](Connection& db) { return sqlite::create_folder(db, user, name); };
    return write(std::move(work));
}

Task<Result<Folder>> SqliteStore::rename_folder(UserNo user, FolderId id, std::string name) {
    auto work = [user, id, name = std::move(name)](Connection& db) {
        return sqlite::rename_folder(db, user, id, name);
    };
    return write(std::move(work));
}

Task<Status> SqliteStore::delete_folder(UserNo user, FolderId id) {
    auto work = [user, id](Connection& db) { return sqlite::delete_folder(db, user, id); };
    return write(std::move(work));
}

Task<Result<std::vector<TagCount>>> SqliteStore::list_tags(UserNo user) {
    auto work = [user](Connection& db) { return sqlite::list_tags(db, user); };
    return read(std::move(work));
}

Task<Result<Conversation>> SqliteStore::set_trashed(UserNo user, ConversationId id, bool trashed) {
    auto work = [user, id, trashed](Connection& db) { return sqlite::set_trashed(db, user, id, trashed); };
    return write(std::move(work));
}

Task<Result<BulkStep>> SqliteStore::change_some(UserNo user, std::vector<ConversationId> ids, BulkChange change) {
    auto work = [user, ids = std::move(ids), change = std::move(change)](Connection& db) {
        return sqlite::change_some(db, user, ids, change);
    };
    return write(std::move(work));
}

Task<Result<BulkStep>> SqliteStore::change_next(
    UserNo user,
    ConversationFilter filter,
    std::optional<ListPlace> from,
    BulkChange change
) {
    auto work = [user, filter = std::move(filter), from, change = std::move(change)](Connection& db) {
        return sqlite::change_next(db, user, filter, from, change);
    };
    return write(std::move(work));
}

Task<Result<UserSettings>> SqliteStore::get_user_settings(UserNo user) {
    auto work = [user](Connection& db) { return sqlite::get_user_settings(db, user); };
    return read(std::move(work));
}

Task<Status> SqliteStore::put_user_settings(UserNo user, UserSettings settings) {
    auto work = [user, settings](Connection& db) { return sqlite::put_user_settings(db, user, settings); };
    return write(std::move(work));
}

Task<Status> SqliteStore::delete_expired(UnixSeconds now) {
    for (UserNo user{};;) {
        auto work = [now, user](Connection& db) { return sqlite::delete_expired_step(db, now, user); };
        CO_TRY(const auto next, co_await write(std::move(work)));
        if (!next) {
            co_return Status{};
        }
        user = *next;
    }
}

Task<Result<std::optional<std::vector<Item>>>> SqliteStore::begin_title(UserNo user, ConversationId id) {
    auto work = [user, id](Connection& db) { return sqlite::begin_title(db, user, id); };
    return write(std::move(work));
}

Task<Result<bool>> SqliteStore::put_model_title(UserNo user, ConversationId id, std::string title) {
    auto work = [user, id, title = std::move(title)](Connection& db) {
        return sqlite::put_model_title(db, user, id, title);
    };
    return write(std::move(work));
}

}  // namespace confab::store
