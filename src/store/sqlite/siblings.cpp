#include "store/sqlite/siblings.hpp"

#include <algorithm>

namespace confab::store::sqlite {

namespace {

// A place where a path may go on in several ways: after the item at `position` of `branch`; 0 and none: at the start.
struct Crossing {
    BranchNo branch = kNoBranch;
    Position position = 0;
};

// The first visible item of `branch` after `position`.
Result<std::optional<ItemId>> first_item_after(Connection& db, ConversationNo conversation, const Crossing& place) {
    auto found = db.use(
        "SELECT b.item_id FROM items i CROSS JOIN bodies b ON b.mid = i.mid "
        "WHERE i.conv = ?1 AND i.br = ?2 AND i.pos > ?3 AND i.deleted_at IS NULL ORDER BY i.pos LIMIT 1",
        conversation,
        place.branch,
        place.position
    );
    TRY(const bool row, found.step());
    return row ? std::optional(found.get<ItemId>(0)) : std::nullopt;
}

// What follows at a crossing, oldest first, seen from the way through `taken`.
class Ways {
public:
    Ways(BranchNo taken) : taken_(taken) {}

    void add(BranchNo branch, const ItemId& first) {
        ++siblings_.count;
        if (branch == taken_) {
            siblings_.index = siblings_.count;
            siblings_.previous = last_;
            passed_ = true;
        } else if (passed_ && !siblings_.next) {
            siblings_.next = first;
        }
        last_ = first;
    }

    std::optional<Siblings> finish() const {
        return passed_ && siblings_.count > 1 ? std::optional(siblings_) : std::nullopt;
    }

private:
    const BranchNo taken_;
    Siblings siblings_{.index = 0, .count = 0, .previous = {}, .next = {}};
    std::optional<ItemId> last_;
    bool passed_ = false;
};

Result<std::optional<Siblings>> find_siblings(
    Connection& db,
    ConversationNo conversation,
    const Crossing& crossing,
    BranchNo taken
) {
    Ways ways(taken);
    if (crossing.branch != kNoBranch) {
        TRY(const auto straight_on, first_item_after(db, conversation, crossing));
        if (straight_on) {
            ways.add(crossing.branch, *straight_on);
        }
    }
    auto leaving = db.use(
        "SELECT br FROM branches WHERE conv = ?1 AND parent_br = ?2 AND fork_pos = ?3 ORDER BY br",
        conversation,
        crossing.branch,
        crossing.position
    );
    for (;;) {
        TRY(const bool row, leaving.step());
        if (!row) {
            return ways.finish();
        }
        const auto branch = leaving.get<BranchNo>(0);
        TRY(const auto first, first_item_after(db, conversation, {branch, crossing.position}));
        if (first) {
            ways.add(branch, *first);
        }
    }
}

// Where branches leave `branch` between two positions.
Result<std::vector<Position>> find_crossings(
    Connection& db,
    ConversationNo conversation,
    BranchNo branch,
    Position first,
    Position last
) {
    std::vector<Position> places;
    auto rows = db.use(
        "SELECT DISTINCT fork_pos FROM branches WHERE conv = ?1 AND parent_br = ?2 AND fork_pos BETWEEN ?3 AND ?4 "
        "ORDER BY fork_pos",
        conversation,
        branch,
        first,
        last
    );
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            return places;
        }
        places.push_back(rows.integer(0));
    }
}

// The last visible item of `branch` and what it continues, before `position`.
Result<std::optional<NewestItem>> find_item_before(
    Connection& db,
    ConversationNo conversation,
    BranchNo branch,
    Position position
) {
    Branch path;
    path.no = branch;
    path.head = position - 1;
    return find_newest_item(db, conversation, path, Which::any);
}

// Items of one path, oldest first.
class Relations {
public:
    Relations(Connection& db, ConversationNo conversation) : db_(db), conversation_(conversation) {}

    Status add(Item& item) {
        if (!before_) {
            TRY(const auto found, find_item_before(db_, conversation_, item.branch, item.position));
            before_ = found.value_or(NewestItem{});
            has_before_ = found.has_value();
        }
        if (has_before_) {
            item.parent = before_->id;
        }
        TRY(item.siblings, siblings_of(item));
        before_ = NewestItem{item.id, item.role, item.branch, item.position};
        has_before_ = true;
        return {};
    }

    // All items to come up to `last` of this branch: reads once where branches leave it.
    Status enter(BranchNo branch, Position first, Position last) {
        TRY(const Branch owner, load_branch(db_, conversation_, branch));
        owner_ = owner;
        const Position from = std::max<Position>(owner.fork, first - kDeletedRunMax);
        TRY(crossings_, find_crossings(db_, conversation_, branch, from, last - 1));
        return {};
    }

private:
    // Deleted items before the first one of a page are looked through this far for a crossing.
    static constexpr Position kDeletedRunMax = 64;

    Result<std::optional<Siblings>> siblings_of(const Item& item) {
        const bool same_branch = has_before_ && before_->branch == item.branch;
        if (!same_branch) {
            // The first visible item of its branch: the crossing is where the branch leaves its parent.
            TRY(auto siblings, find_siblings(db_, conversation_, {owner_.parent, owner_.fork}, item.branch));
            if (siblings) {
                return siblings;
            }
        }
        const Position from = same_branch ? before_->position : owner_.fork + 1;
        for (const Position place : crossings_) {
            if (place >= from && place < item.position) {
                TRY(auto siblings, find_siblings(db_, conversation_, {item.branch, place}, item.branch));
                if (siblings) {
                    return siblings;
                }
            }
        }
        return std::nullopt;
    }

    Connection& db_;
    const ConversationNo conversation_;
    Branch owner_;
    std::vector<Position> crossings_;
    std::optional<NewestItem> before_;
    bool has_before_ = false;
};

}  // namespace

Status add_relations(Connection& db, ConversationNo conversation, std::span<Item> items) {
    std::vector<Item*> ascending;
    ascending.reserve(items.size());
    for (Item& item : items) {
        ascending.push_back(&item);
    }
    std::ranges::sort(ascending, {}, &Item::position);
    Relations relations(db, conversation);
    for (std::size_t i = 0; i < ascending.size(); ++i) {
        if (i == 0 || ascending[i]->branch != ascending[i - 1]->branch) {
            std::size_t last = i;
            while (last + 1 < ascending.size() && ascending[last + 1]->branch == ascending[i]->branch) {
                ++last;
            }
            TRY_VOID(relations.enter(ascending[i]->branch, ascending[i]->position, ascending[last]->position));
        }
        TRY_VOID(relations.add(*ascending[i]));
    }
    return {};
}

}  // namespace confab::store::sqlite
