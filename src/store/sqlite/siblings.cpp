#include "store/sqlite/siblings.hpp"

#include <algorithm>

namespace confab::store::sqlite {

namespace {

// So many branches are looked at for the alternatives at one place; where there are more, none are shown.
constexpr std::size_t kBranchesMax = 1'000;

// Where a path goes on: after the item at `position` of `branch`; none and 0: at the beginning.
struct Crossing {
    BranchNo branch = kNoBranch;
    Position position = 0;
};

// The branches that leave `branch` between two positions, up to the limit.
Result<std::vector<Crossing>> find_leaving(
    Connection& db,
    ConversationNo conversation,
    BranchNo branch,
    Position first,
    Position last
) {
    auto found = db.use(
        "SELECT br, fork_pos FROM branches WHERE conv = ?1 AND parent_br = ?2 AND fork_pos BETWEEN ?3 AND ?4 LIMIT ?5",
        conversation,
        branch,
        first,
        last,
        kBranchesMax
    );
    std::vector<Crossing> leaving;
    for (;;) {
        TRY(const bool row, found.step());
        if (!row) {
            return leaving;
        }
        leaving.push_back({found.get<BranchNo>(0), found.integer(1)});
    }
}

struct Child {
    std::int64_t mid = 0;  // grows with every item: the order of making
    ItemId id;
    Position position = 0;
};

// The first visible item of the branch itself after the crossing.
Result<std::optional<Child>> find_first_item(Connection& db, ConversationNo conversation, const Crossing& from) {
    auto found = db.use(
        "SELECT i.mid, b.item_id, i.pos FROM items i CROSS JOIN bodies b ON b.mid = i.mid "
        "WHERE i.conv = ?1 AND i.br = ?2 AND i.pos > ?3 AND i.deleted_at IS NULL ORDER BY i.pos LIMIT 1",
        conversation,
        from.branch,
        from.position
    );
    TRY(const bool row, found.step());
    return row ? std::optional(Child{found.integer(0), found.get<ItemId>(1), found.integer(2)}) : std::nullopt;
}

// All items whose parent is the one at the crossing, oldest first; nothing when there are too many.
Result<std::vector<Child>> find_children(Connection& db, ConversationNo conversation, const Crossing& parent) {
    std::vector<Child> children;
    std::vector<Crossing> open{parent};
    for (std::size_t looked_at = 0; !open.empty(); ++looked_at) {
        if (looked_at + open.size() > kBranchesMax) {
            return std::vector<Child>();
        }
        const Crossing from = open.back();
        open.pop_back();
        TRY(const auto first, find_first_item(db, conversation, from));
        if (first) {
            children.push_back(*first);
        }
        const Position last = first ? first->position - 1 : INT64_MAX;
        TRY(const auto leaving, find_leaving(db, conversation, from.branch, from.position, last));
        open.insert(open.end(), leaving.begin(), leaving.end());
    }
    std::ranges::sort(children, {}, &Child::mid);
    return children;
}

Result<std::optional<Siblings>> find_siblings(
    Connection& db,
    ConversationNo conversation,
    const Item& item,
    const Crossing& parent
) {
    if (parent.branch == item.branch) {  // most often nothing leaves between the two
        TRY(const auto leaving, find_leaving(db, conversation, parent.branch, parent.position, item.position - 1));
        if (leaving.empty()) {
            return std::nullopt;
        }
    }
    TRY(const auto children, find_children(db, conversation, parent));
    const auto own = std::ranges::find(children, item.id, &Child::id);
    if (children.size() < 2 || own == children.end()) {
        return std::nullopt;
    }
    Siblings siblings;
    siblings.index = own - children.begin() + 1;
    siblings.count = static_cast<std::int64_t>(children.size());
    if (own != children.begin()) {
        siblings.previous = std::prev(own)->id;
    }
    if (const auto next = std::next(own); next != children.end()) {
        siblings.next = next->id;
    }
    return siblings;
}

}  // namespace

Status add_relations(Connection& db, ConversationNo conversation, std::span<Item> items) {
    std::vector<Item*> path;
    path.reserve(items.size());
    for (Item& item : items) {
        path.push_back(&item);
    }
    std::ranges::sort(path, {}, &Item::position);
    Crossing parent;
    for (std::size_t i = 0; i < path.size(); ++i) {
        Item& item = *path[i];
        if (i > 0) {
            item.parent = path[i - 1]->id;
            parent = {path[i - 1]->branch, path[i - 1]->position};
        } else {
            Branch before;
            before.no = item.branch;
            before.head = item.position - 1;
            TRY(const auto newest, find_newest_item(db, conversation, before, Which::any));
            if (newest) {
                item.parent = newest->id;
                parent = {newest->branch, newest->position};
            }
        }
        TRY(item.siblings, find_siblings(db, conversation, item, parent));
    }
    return {};
}

}  // namespace confab::store::sqlite
