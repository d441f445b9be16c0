#include "store/sqlite/copies.hpp"

#include "base/clock.hpp"
#include "store/sqlite/head.hpp"
#include "store/sqlite/wipe.hpp"

namespace confab::store::sqlite {

namespace {

constexpr PageCaps kStep{200, 1024 * 1024, SIZE_MAX};  // rows and bytes of one step: some 10 ms

// A run belongs to one conversation and goes with it: the copy has its own, so that its items keep their model and
// figures, and a response that can be continued.
Result<RunNo> copy_run(Connection& db, const Copy& copy, RunNo run, Position position) {
    TRY_VOID(db.run(
        "INSERT INTO runs (id, user_no, conv, br, status, background, stored, input_first, input_last, output_first, "
        "output_last, prompt_anchor, prompt_head, prompt_tok, created_at, completed_at, model, error_code, "
        "error_message, incomplete_reason, usage, request, first_token_ms, duration_ms, output_tokens) "
        "SELECT ?1, user_no, ?2, ?3, status, background, stored, ?4, ?4 - 1, ?4, ?4 - 1, 1, ?4 - 1, prompt_tok, "
        "created_at, completed_at, model, error_code, error_message, incomplete_reason, usage, request, "
        "first_token_ms, duration_ms, output_tokens FROM runs WHERE run = ?5",
        ResponseId::make(),
        copy.to,
        kFirstBranch,
        position,
        run
    ));
    return static_cast<RunNo>(db.inserted_key());
}

// Has `copy` know the copy of the run that made this item.
Status follow_run(Connection& db, Copy& copy, const Item& item, Position position) {
    if (!item.response) {
        copy.from_run = copy.to_run = std::nullopt;
        return {};
    }
    RunNo run{};
    {
        auto found = db.use("SELECT run FROM runs WHERE id = ?1", *item.response);
        TRY(const bool row, found.step());
        CONFAB_ASSERT(row);
        run = found.get<RunNo>(0);
    }
    if (copy.from_run != run) {
        copy.from_run = run;
        TRY(copy.to_run, copy_run(db, copy, run, position));
    }
    return db.run("UPDATE runs SET output_last = ?2 WHERE run = ?1", copy.to_run, position);
}

}  // namespace

Result<Copy> begin_copy(Connection& db, UserNo user, ConversationId id, ItemId item) {
    TRY(const ConversationHandle handle, open_conversation(db, user, id));
    TRY(const ItemPlace place, find_visible_place(db, handle.no, item, "item_id"));
    Copy copy;
    copy.user = user;
    copy.from = handle.no;
    copy.from_branch = place.branch;
    copy.last = place.position;
    copy.to_id = ConversationId::make();
    TRY_VOID(db.run(
        "INSERT INTO conversations (id, user_no, hidden, building, active_br, title, model, instructions, metadata, "
        "created_at, updated_at) SELECT ?1, user_no, 1, 1, ?2, title, model, instructions, '{}', ?3, ?3 "
        "FROM conversations WHERE conv = ?4",
        copy.to_id,
        kFirstBranch,
        base::unix_now(),
        handle.no
    ));
    copy.to = static_cast<ConversationNo>(db.inserted_key());
    TRY_VOID(create_first_branch(db, copy.to));
    return copy;
}

Result<Copy> copy_some(Connection& db, Copy copy) {
    TRY(const auto path, load_path(db, copy.from, copy.from_branch, copy.next, copy.last));
    TRY(const auto page, load_items_ascending(db, copy.from, path, kStep));
    TRY(Branch branch, load_branch(db, copy.to, kFirstBranch));
    for (const Item& item : page.rows) {
        NewItem copied;
        copied.id = ItemId::make(item.id.type());
        copied.role = item.role;
        copied.status = item.status;
        copied.format = item.format;
        copied.body = item.body;
        copied.tokens = item.tokens;
        TRY_VOID(follow_run(db, copy, item, branch.head + 1));
        TRY_VOID(append_to_branch(db, {copy.user, copy.to, copy.to_run, item.created_at}, branch, std::span(&copied, 1)));
    }
    TRY_VOID(save_branch(db, copy.to, branch));
    copy.next = page.has_more ? page.rows.back().position + 1 : copy.last + 1;
    return copy;
}

Result<Conversation> finish_copy(Connection& db, const Copy& copy) {
    bool source_there = false;
    {
        auto source = db.use("SELECT 1 FROM conversations WHERE conv = ?1 AND deleted_at IS NULL", copy.from);
        TRY(source_there, source.step());
    }
    if (!source_there) {  // and perhaps not all of it was copied
        return base::not_found("There is no such conversation.");
    }
    TRY_VOID(db.run("UPDATE conversations SET hidden = 0, building = 0 WHERE conv = ?1", copy.to));
    return find_conversation(db, copy.user, copy.to_id);
}

Status abandon_copy(Connection& db, const Copy& copy) {
    TRY_VOID(db.run("UPDATE conversations SET building = 0 WHERE conv = ?1", copy.to));
    return wipe_conversation(db, copy.to);
}

Status abandon_all_copies(Connection& db) {
    return db.run(
        "UPDATE conversations SET building = 0, wiping = 1, deleted_at = ?1, title = '', instructions = '' "
        "WHERE building = 1",
        base::unix_now()
    );
}

}  // namespace confab::store::sqlite
