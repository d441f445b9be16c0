// The trash, and one change made to many conversations in bounded writes.
#include "store/sqlite/conversations.hpp"
#include "store/sqlite/organise.hpp"
#include "store/sqlite/wipe.hpp"

namespace confab::store::sqlite {

namespace {

Status put_in_trash(Connection& db, ConversationNo conversation, bool trashed) {
    return db.run(
        "UPDATE conversations SET trashed_at = CASE WHEN ?2 THEN coalesce(trashed_at, ?3) END WHERE conv = ?1",
        conversation,
        trashed,
        base::unix_now()
    );
}

Status archive(Connection& db, ConversationNo conversation, bool archived) {
    return db.run("UPDATE conversations SET archived = ?2 WHERE conv = ?1", conversation, archived);
}

Status change_one(
    Connection& db,
    UserNo user,
    ConversationId id,
    const BulkChange& change,
    std::vector<ResponseId>& running
) {
    TRY(const ConversationHandle handle, open_conversation(db, user, id));
    switch (change.action) {
        case BulkAction::trash: return put_in_trash(db, handle.no, true);
        case BulkAction::restore: return put_in_trash(db, handle.no, false);
        case BulkAction::archive: return archive(db, handle.no, true);
        case BulkAction::unarchive: return archive(db, handle.no, false);
        case BulkAction::move: return move_to_folder(db, user, handle.no, change.folder);
        case BulkAction::tag: return add_tag(db, user, handle.no, change.tag);
        case BulkAction::untag: return remove_tag(db, user, handle.no, change.tag);
        case BulkAction::remove: break;
    }
    TRY(const auto run, delete_conversation(db, user, id));
    if (run) {
        running.push_back(*run);
    }
    return {};
}

// What is wrong with one conversation is noted; what is wrong with the database ends the step.
Status change_and_note(Connection& db, UserNo user, ConversationId id, const BulkChange& change, BulkStep& step) {
    const Status changed = change_one(db, user, id, change, step.running);
    if (changed) {
        ++step.done;
        return {};
    }
    const base::Error& error = changed.error();
    if (error.errc != base::Errc::not_found && error.errc != base::Errc::invalid_request) {
        return changed;
    }
    step.failed.push_back({id, error.code, error.message});
    return {};
}

// A folder that does not exist fails the whole request, not every conversation of it.
Status check_change(Connection& db, UserNo user, const BulkChange& change) {
    if (change.action == BulkAction::move && change.folder) {
        TRY_VOID(find_folder(db, user, *change.folder));
    }
    return {};
}

Result<ConversationId> id_of(Connection& db, ConversationNo conversation) {
    auto found = db.use("SELECT id FROM conversations WHERE conv = ?1", conversation);
    TRY(const bool row, found.step());
    CONFAB_ASSERT(row);
    return found.get<ConversationId>(0);
}

}  // namespace

Result<Conversation> set_trashed(Connection& db, UserNo user, ConversationId id, bool trashed) {
    TRY(const ConversationHandle handle, open_conversation(db, user, id));
    TRY_VOID(put_in_trash(db, handle.no, trashed));
    return load_conversation(db, handle.no);
}

Result<BulkStep> change_some(
    Connection& db,
    UserNo user,
    const std::vector<ConversationId>& ids,
    const BulkChange& change
) {
    TRY_VOID(check_change(db, user, change));
    BulkStep step;
    for (const ConversationId id : ids) {
        TRY_VOID(change_and_note(db, user, id, change, step));
    }
    return step;
}

Result<BulkStep> change_next(
    Connection& db,
    UserNo user,
    const ConversationFilter& filter,
    const std::optional<ListPlace>& from,
    const BulkChange& change
) {
    TRY_VOID(check_change(db, user, change));
    const std::size_t limit = change.action == BulkAction::remove ? kBulkStepDeletes : kBulkStepConversations;
    TRY(const auto entries, find_entries(db, user, filter, Order::descending, from.value_or(kListEnd), limit));
    BulkStep step;
    for (const ListEntry& entry : entries) {
        TRY(const ConversationId id, id_of(db, entry.conversation));
        TRY_VOID(change_and_note(db, user, id, change, step));
    }
    if (entries.size() == limit) {
        step.next = entries.back().place;
    }
    return step;
}

}  // namespace confab::store::sqlite
