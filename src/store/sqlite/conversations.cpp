#include "store/sqlite/conversations.hpp"

#include "store/sqlite/items.hpp"
#include "store/sqlite/organise.hpp"

namespace confab::store::sqlite {

namespace {

#define CONVERSATION_COLUMNS                                                                                    \
    "SELECT conv, id, user_no, title, model, instructions, metadata, pinned, archived, active_br, created_at, " \
    "updated_at, trashed_at, compaction, "                                                                      \
    "(SELECT f.id FROM folders f WHERE f.folder = conversations.folder AND f.deleting = 0) "                    \
    "FROM conversations "

// The row itself; head and runs are added by add_newest.
Conversation read_conversation(const Statement& row) {
    Conversation conversation;
    conversation.no = row.get<ConversationNo>(0);
    conversation.id = row.get<ConversationId>(1);
    conversation.user = row.get<UserNo>(2);
    conversation.title = row.get<std::string>(3);
    conversation.model = row.get<std::string>(4);
    conversation.instructions = row.get<std::string>(5);
    conversation.metadata = row.get<std::string>(6);
    conversation.pinned = row.get<bool>(7);
    conversation.archived = row.get<bool>(8);
    conversation.active_branch = row.get<BranchNo>(9);
    conversation.created_at = row.integer(10);
    conversation.updated_at = row.integer(11);
    conversation.trashed_at = row.get<std::optional<UnixSeconds>>(12);
    conversation.compaction = row.get<Compaction>(13);
    conversation.folder = row.get<std::optional<FolderId>>(14);
    return conversation;
}

Result<RunSummary> load_run_summary(Connection& db, RunNo run) {
    auto found =
        db.use("SELECT id, status, model, error_code, error_message, incomplete_reason FROM runs WHERE run = ?1", run);
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("There is no such response.");
    }
    RunSummary summary;
    summary.id = found.get<ResponseId>(0);
    summary.status = found.get<RunStatus>(1);
    summary.model = found.get<std::string>(2);
    summary.error_code = found.get<std::string>(3);
    summary.error_message = found.get<std::string>(4);
    summary.incomplete_reason = found.get<std::string>(5);
    return summary;
}

// The tags, and the newest item and run of the active branch: a few seeks, whatever the length.
Status add_newest(Connection& db, Conversation& conversation) {
    TRY(conversation.tags, load_tags(db, conversation.no));
    TRY(const Branch branch, load_branch(db, conversation.no, conversation.active_branch));
    TRY(const auto newest, find_newest_item(db, conversation.no, branch, Which::any));
    if (newest) {
        conversation.head = newest->id;
    }
    if (branch.last_run) {
        TRY(conversation.last_run, load_run_summary(db, *branch.last_run));
        // A branch has at most one run in progress, and then it is its newest.
        if (!is_final(conversation.last_run->status)) {
            conversation.active_run = conversation.last_run->id;
        }
    }
    return {};
}

Result<ConversationNo> insert_conversation(Connection& db, const NewConversation& conversation, UnixSeconds now) {
    TRY_VOID(db.run(
        "INSERT INTO conversations (id, user_no, hidden, active_br, title, model, instructions, metadata, created_at, "
        "updated_at, title_by) VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?4 <> '')",
        conversation.id,
        conversation.user,
        kFirstBranch,
        conversation.title,
        conversation.model,
        conversation.instructions,
        conversation.metadata,
        now
    ));
    const auto number = static_cast<ConversationNo>(db.inserted_key());
    TRY_VOID(create_first_branch(db, number));
    return number;
}

}  // namespace

Result<ConversationHandle> open_conversation(Connection& db, UserNo user, ConversationId id) {
    auto found = db.use(
        "SELECT conv, active_br, trashed_at IS NOT NULL FROM conversations WHERE id = ?1 AND user_no = ?2 AND hidden = 0 "
        "AND deleted_at IS NULL",
        id,
        user
    );
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("There is no such conversation.");
    }
    return ConversationHandle{found.get<ConversationNo>(0), found.get<BranchNo>(1), found.get<bool>(2)};
}

Result<bool> is_locked(Connection& db, ConversationNo conversation) {
    auto found = db.use("SELECT 1 FROM runs WHERE conv = ?1 AND status < 2", conversation);
    return found.step();
}

Result<bool> is_locked(Connection& db, ConversationNo conversation, BranchNo branch) {
    auto found = db.use("SELECT 1 FROM runs WHERE conv = ?1 AND br = ?2 AND status < 2", conversation, branch);
    return found.step();
}

std::unexpected<base::Error> conversation_locked() {
    return base::invalid(
        "conversation", "An answer is being made in this conversation. Wait for it or cancel it.", "conversation_locked"
    );
}

std::unexpected<base::Error> conversation_in_trash() {
    return base::fail(
        base::Errc::conflict,
        "This conversation is in the trash. Restore it first.",
        "conversation_in_trash",
        "conversation"
    );
}

Result<Conversation> create_conversation(Connection& db, const NewConversation& conversation) {
    const auto repeated = find_conversation(db, conversation.user, conversation.id);
    if (repeated || repeated.error().errc != base::Errc::not_found) {
        return repeated;
    }
    const UnixSeconds now = base::unix_now();
    TRY(const ConversationNo number, insert_conversation(db, conversation, now));
    TRY(Branch branch, load_branch(db, number, kFirstBranch));
    TRY_VOID(append_to_branch(db, {conversation.user, number, std::nullopt, now}, branch, conversation.items));
    TRY_VOID(save_branch(db, number, branch));
    return find_conversation(db, conversation.user, conversation.id);
}

Result<Conversation> find_conversation(Connection& db, UserNo user, ConversationId id) {
    auto found =
        db.use(CONVERSATION_COLUMNS "WHERE id = ?1 AND user_no = ?2 AND hidden = 0 AND deleted_at IS NULL", id, user);
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("There is no such conversation.");
    }
    Conversation conversation = read_conversation(found);
    TRY_VOID(add_newest(db, conversation));
    return conversation;
}

// Does not touch updated_at, which orders the list: renaming an old conversation does not make it the newest.
Result<Conversation> update_conversation(
    Connection& db,
    UserNo user,
    ConversationId id,
    const ConversationPatch& patch
) {
    TRY(const ConversationHandle handle, open_conversation(db, user, id));
    TRY_VOID(db.run(
        "UPDATE conversations SET title = coalesce(?2, title), model = coalesce(?3, model), "
        "instructions = coalesce(?4, instructions), metadata = coalesce(?5, metadata), pinned = coalesce(?6, pinned), "
        "archived = coalesce(?7, archived), compaction = coalesce(?8, compaction), "
        "title_by = CASE WHEN ?2 IS NULL THEN title_by ELSE ?2 <> '' END WHERE conv = ?1",
        handle.no,
        patch.title,
        patch.model,
        patch.instructions,
        patch.metadata,
        patch.pinned,
        patch.archived,
        patch.compaction
    ));
    if (patch.folder) {
        TRY_VOID(move_to_folder(db, user, handle.no, *patch.folder));
    }
    if (patch.tags) {
        TRY_VOID(replace_tags(db, user, handle.no, *patch.tags));
    }
    return find_conversation(db, user, id);
}

Result<Conversation> load_conversation(Connection& db, ConversationNo conversation) {
    auto found = db.use(CONVERSATION_COLUMNS "WHERE conv = ?1", conversation);
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("There is no such conversation.");
    }
    Conversation loaded = read_conversation(found);
    TRY_VOID(add_newest(db, loaded));
    return loaded;
}
#undef CONVERSATION_COLUMNS

Result<Page<Conversation>> list_conversations(Connection& db, UserNo user, const PageRequest<ConversationId>& request) {
    return list_filtered(db, user, {}, request);
}

}  // namespace confab::store::sqlite
