#include "store/sqlite/copies.hpp"

#include "base/clock.hpp"
#include "store/sqlite/items.hpp"
#include "store/sqlite/wipe.hpp"

namespace confab::store::sqlite {

namespace {

constexpr PageCaps kStep{200, 1024 * 1024, SIZE_MAX};  // rows and bytes of one step: some 10 ms

}  // namespace

Result<Copy> begin_copy(Connection& db, UserNo user, ConversationId id, ItemId item) {
    TRY(const ConversationHandle handle, open_conversation(db, user, id));
    TRY(const auto place, find_item_place(db, item));
    if (!place || place->conversation != handle.no) {
        return base::invalid("item_id", "There is no such item in this conversation.", "item_not_found");
    }
    Copy copy;
    copy.user = user;
    copy.from = handle.no;
    copy.from_branch = place->branch;
    copy.last = place->position;
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
        std::optional<RunNo> run;  // what made it: its model and figures are shown with the copy as long as they are there
        if (item.response) {
            auto found = db.use("SELECT run FROM runs WHERE id = ?1", *item.response);
            TRY(const bool row, found.step());
            run = row ? std::optional(found.get<RunNo>(0)) : std::nullopt;
        }
        TRY_VOID(append_to_branch(db, {copy.user, copy.to, run, item.created_at}, branch, std::span(&copied, 1)));
    }
    TRY_VOID(save_branch(db, copy.to, branch));
    copy.next = page.has_more ? page.rows.back().position + 1 : copy.last + 1;
    return copy;
}

Result<Conversation> finish_copy(Connection& db, const Copy& copy) {
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
