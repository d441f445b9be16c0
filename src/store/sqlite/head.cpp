#include "store/sqlite/head.hpp"

namespace confab::store::sqlite {

namespace {

// Ways through a crossing are remembered as a stack: the way taken last at a place hides those taken before it at the same
// place and at earlier ones, because whoever comes from there now goes this way.
Status forget_ways(Connection& db, ConversationNo conversation, BranchNo parent, Position last) {
    return db.run(
        "UPDATE branches SET viewed = 0 WHERE conv = ?1 AND parent_br = ?2 AND fork_pos <= ?3 AND viewed = 1",
        conversation,
        parent,
        last
    );
}

Status remember_way(Connection& db, ConversationNo conversation, const Branch& branch) {
    TRY_VOID(forget_ways(db, conversation, branch.parent, branch.fork));
    return db.run("UPDATE branches SET viewed = 1 WHERE conv = ?1 AND br = ?2", conversation, branch.no);
}

// The branch last looked at that leaves `branch` at `position` or later.
Result<std::optional<Branch>> way_from(Connection& db, ConversationNo conversation, BranchNo branch, Position position) {
    BranchNo next{};
    {
        auto found = db.use(
            "SELECT br FROM branches WHERE conv = ?1 AND parent_br = ?2 AND fork_pos >= ?3 AND viewed = 1 "
            "ORDER BY fork_pos LIMIT 1",
            conversation,
            branch,
            position
        );
        TRY(const bool row, found.step());
        if (!row) {
            return std::nullopt;
        }
        next = found.get<BranchNo>(0);
    }
    TRY(const Branch loaded, load_branch(db, conversation, next));
    return loaded;
}

}  // namespace

Result<BranchNo> find_leaf_beneath(Connection& db, const ItemPlace& place) {
    BranchNo branch = place.branch;
    for (Position position = place.position;;) {
        TRY(const auto next, way_from(db, place.conversation, branch, position));
        if (!next) {
            return branch;
        }
        branch = next->no;
        position = next->fork;
    }
}

Result<ItemPlace> find_visible_place(
    Connection& db,
    ConversationNo conversation,
    const ItemId& item,
    std::string_view param
) {
    const auto no_such_item = [&] {
        return base::not_found("There is no such item in this conversation.", "item_not_found", std::string(param));
    };
    TRY(const auto place, find_item_place(db, item));
    if (!place || place->conversation != conversation) {
        return no_such_item();
    }
    auto visible = db.use(
        "SELECT 1 FROM items WHERE conv = ?1 AND br = ?2 AND pos = ?3 AND deleted_at IS NULL",
        conversation,
        place->branch,
        place->position
    );
    TRY(const bool row, visible.step());
    if (!row) {
        return no_such_item();
    }
    return *place;
}

namespace {

// A branch without items that leaves at this place: left over from looking at it.
Result<std::optional<Branch>> find_empty_branch(
    Connection& db,
    ConversationNo conversation,
    BranchNo parent,
    Position position
) {
    BranchNo number{};
    {
        auto found = db.use(
            "SELECT br FROM branches WHERE conv = ?1 AND parent_br = ?2 AND fork_pos = ?3 AND head_pos = fork_pos "
            "ORDER BY br LIMIT 1",
            conversation,
            parent,
            position
        );
        TRY(const bool row, found.step());
        if (!row) {
            return std::nullopt;
        }
        number = found.get<BranchNo>(0);
    }
    TRY(const bool locked, is_locked(db, conversation, number));
    if (locked) {
        return std::nullopt;
    }
    TRY(const Branch branch, load_branch(db, conversation, number));
    return branch;
}

}  // namespace

Result<Branch> branch_after(
    Connection& db,
    ConversationNo conversation,
    const std::optional<ItemId>& item,
    std::string_view param
) {
    ItemPlace place{conversation, kNoBranch, 0};
    if (item) {
        TRY(place, find_visible_place(db, conversation, *item, param));
        TRY(const Branch own, load_branch(db, conversation, place.branch));
        if (own.head == place.position) {
            return own;
        }
    }
    TRY(auto empty, find_empty_branch(db, conversation, place.branch, place.position));
    if (empty) {
        return *std::move(empty);
    }
    Branch from;
    from.no = item ? place.branch : kFirstBranch;
    if (item) {
        TRY(from, load_branch(db, conversation, place.branch));
    }
    return fork_branch(db, conversation, from, place.position);
}

// What the way has in common with the one shown before is noted already.
Status activate_branch(Connection& db, ConversationNo conversation, BranchNo leaf) {
    BranchNo before{};
    {
        auto shown = db.use("SELECT active_br FROM conversations WHERE conv = ?1", conversation);
        TRY(const bool row, shown.step());
        CONFAB_ASSERT(row);
        before = shown.get<BranchNo>(0);
    }
    if (before == leaf) {
        return {};
    }
    TRY_VOID(db.run("UPDATE conversations SET active_br = ?2 WHERE conv = ?1", conversation, leaf));
    // The leaf goes on to its own end.
    TRY_VOID(forget_ways(db, conversation, leaf, INT64_MAX));
    for (BranchNo number = leaf; number != kNoBranch && number != before;) {
        TRY(const Branch branch, load_branch(db, conversation, number));
        TRY_VOID(remember_way(db, conversation, branch));
        number = branch.parent;
    }
    return {};
}

Result<Conversation> set_head(
    Connection& db,
    UserNo user,
    ConversationId id,
    const std::optional<ItemId>& item,
    Descend descend
) {
    TRY(const ConversationHandle handle, open_conversation(db, user, id));
    BranchNo leaf{};
    if (descend == Descend::yes && item) {
        TRY(const ItemPlace place, find_visible_place(db, handle.no, *item, "item_id"));
        TRY(leaf, find_leaf_beneath(db, place));
    } else {
        TRY(const Branch branch, branch_after(db, handle.no, item, "item_id"));
        leaf = branch.no;
    }
    TRY_VOID(activate_branch(db, handle.no, leaf));
    return find_conversation(db, user, id);
}

}  // namespace confab::store::sqlite
