#include "store/sqlite/items.hpp"

#include <algorithm>

#include "store/sqlite/search_upkeep.hpp"
#include "store/sqlite/summaries.hpp"
#include "store/sqlite/user_rows.hpp"

namespace confab::store::sqlite {

namespace {

// So far back is looked for an item that is said to the model, and no farther.
constexpr Position kUnsaidItemsMax = 1'000;

Result<std::int64_t> next_body_key(Connection& db, UserNo user) {
    const auto [first, last] = rows_of(user);
    auto newest = db.use("SELECT max(mid) FROM bodies WHERE mid BETWEEN ?1 AND ?2", first, last);
    TRY(const bool row, newest.step());
    CONFAB_ASSERT(row);
    const std::int64_t next = newest.is_null(0) ? first + 1 : newest.integer(0) + 1;
    CONFAB_ASSERT(next <= last);
    return next;
}

Result<std::int64_t> find_body_key(Connection& db, const ItemPlace& place) {
    auto found = db.use(
        "SELECT mid FROM items WHERE conv = ?1 AND br = ?2 AND pos = ?3", place.conversation, place.branch, place.position
    );
    TRY(const bool row, found.step());
    CONFAB_ASSERT(row);
    return found.integer(0);
}

}  // namespace

Status append_to_branch(Connection& db, const Appending& to, Branch& branch, std::span<const NewItem> items) {
    if (items.empty()) {
        return {};
    }
    TRY(std::int64_t mid, next_body_key(db, to.user));
    for (const NewItem& item : items) {
        ++branch.head;
        branch.head_tokens += item.tokens;
        TRY_VOID(db.run(
            "INSERT INTO bodies (mid, item_id, conv, br, pos, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            mid,
            item.id,
            to.conversation,
            branch.no,
            branch.head,
            Borrowed{item.body}
        ));
        TRY_VOID(db.run(
            "INSERT INTO items (conv, br, pos, mid, type, role, status, format, tok, cum_tok, bytes, run, created_at) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            to.conversation,
            branch.no,
            branch.head,
            mid,
            item.id.type(),
            item.role,
            item.status,
            item.format,
            item.tokens,
            branch.head_tokens,
            item.body.size(),
            to.run,
            to.now
        ));
        ++mid;
    }
    return {};
}

Result<std::optional<ItemPlace>> find_item_place(Connection& db, ItemId id) {
    auto found = db.use("SELECT conv, br, pos FROM bodies WHERE item_id = ?1", id);
    TRY(const bool row, found.step());
    if (!row) {
        return std::nullopt;
    }
    return ItemPlace{found.get<ConversationNo>(0), found.get<BranchNo>(1), found.integer(2)};
}

Result<Item> load_item(Connection& db, const ItemPlace& place) {
    const Segment only{place.branch, place.position, place.position};
    const PageCaps whole{1, SIZE_MAX, SIZE_MAX};
    TRY(auto page, load_items_ascending(db, place.conversation, std::span(&only, 1), whole));
    if (page.rows.empty()) {
        return base::not_found("There is no such item.");
    }
    return std::move(page.rows.front());
}

Status delete_item_at(Connection& db, const ItemPlace& place, UnixSeconds now) {
    TRY_VOID(db.run(
        "UPDATE items SET deleted_at = ?4, bytes = 0 WHERE conv = ?1 AND br = ?2 AND pos = ?3 AND deleted_at IS NULL",
        place.conversation,
        place.branch,
        place.position,
        now
    ));
    if (db.changed_rows() == 0) {
        return base::not_found("There is no such item.");
    }
    TRY_VOID(drop_summaries(db, place));
    TRY(const std::int64_t mid, find_body_key(db, place));
    TRY_VOID(forget_in_search(db, mid));
    return db.run("UPDATE bodies SET body = x'' WHERE mid = ?1", mid);
}

Result<std::optional<NewestItem>> find_newest_item(
    Connection& db,
    ConversationNo conversation,
    const Branch& branch,
    Which which
) {
    Position last = branch.head;
    const Position first = which == Which::any ? 1 : std::max<Position>(1, last - kUnsaidItemsMax);
    for (BranchNo number = branch.no; last >= first;) {
        TRY(const Branch owner, load_branch(db, conversation, number));
        auto found = db.use(
            "SELECT b.item_id, i.role, i.pos FROM items i CROSS JOIN bodies b ON b.mid = i.mid "
            "WHERE i.conv = ?1 AND i.br = ?2 AND i.pos BETWEEN ?3 AND ?4 AND i.deleted_at IS NULL "
            "AND (?5 OR i.type IN (0, 2, 3)) ORDER BY i.pos DESC LIMIT 1",
            conversation,
            number,
            std::max(first, owner.fork + 1),
            last,
            which == Which::any
        );
        TRY(const bool row, found.step());
        if (row) {
            return NewestItem{found.get<ItemId>(0), found.get<ItemRole>(1), number, found.integer(2)};
        }
        last = std::min(last, owner.fork);
        number = owner.parent;
    }
    return std::nullopt;
}

}  // namespace confab::store::sqlite
