// Items: small rows at (conversation, branch, position) and their bodies beside them. Appending, single items, and
// pages along a path in both directions, capped by rows and by bytes.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "store/rows.hpp"
#include "store/sqlite/branches.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

// Where an item stands.
struct ItemPlace {
    ConversationNo conversation{};
    BranchNo branch{};
    Position position = 0;
};

// Whose items are appended, and where; `run` is the one that made them, none for what was put in.
struct Appending {
    UserNo user{};
    ConversationNo conversation{};
    std::optional<RunNo> run;
    UnixSeconds now = 0;
};

// Inserts after the branch's head and moves `branch` (head, head_tokens); the caller saves it. `conflict`
// (already_exists) when an id is taken.
Status append_to_branch(Connection& db, const Appending& to, Branch& branch, std::span<const NewItem> items);

// Also finds deleted ones: their ids stay taken, and stay good as cursors.
Result<std::optional<ItemPlace>> find_item_place(Connection& db, ItemId id);

// The whole item; `not_found` when deleted.
Result<Item> load_item(Connection& db, const ItemPlace& place);

// Marks it deleted and wipes its body; the positions and running totals of the others stand. `not_found` when it is
// already.
Status delete_item_at(Connection& db, const ItemPlace& place, UnixSeconds now);

// What a path ends with, leaving out deleted items.
struct NewestItem {
    ItemId id;
    ItemRole role = ItemRole::user;
    BranchNo branch{};
    Position position = 0;
};

// `said`: of those that a model is sent; reasoning and others are passed over, up to a limit.
enum class Which : bool { any, said };

Result<std::optional<NewestItem>> find_newest_item(
    Connection& db,
    ConversationNo conversation,
    const Branch& branch,
    Which which
);

// The columns first_token_ms, duration_ms and output_tokens of a run, from `column` on.
std::optional<RunTiming> read_timing(const Statement& row, int column);

// How much a page takes. A body above item_bytes_max comes as a head.
struct PageCaps {
    std::size_t rows_max = 0;
    std::size_t bytes_max = kPageBytesMax;
    std::size_t item_bytes_max = kPageItemBytesMax;
};

// Positions [first, last] of the path of `branch`, from its end towards its beginning: costs nothing for what is not in
// the page.
Result<Page<Item>> load_items_descending(Connection& db, const ItemPlace& last, Position first, const PageCaps& caps);

// The items of `path` (as load_path gives it), oldest first.
Result<Page<Item>> load_items_ascending(
    Connection& db,
    ConversationNo conversation,
    std::span<const Segment> path,
    const PageCaps& caps,
    Which which = Which::any
);

}  // namespace confab::store::sqlite
