#include "store/sqlite/branches.hpp"

#include <algorithm>

namespace confab::store::sqlite {

Result<Branch> load_branch(Connection& db, ConversationNo conversation, BranchNo branch) {
    auto found = db.use(
        "SELECT br, parent_br, fork_pos, head_pos, head_cum_tok, anchor_pos, last_run, depth FROM branches "
        "WHERE conv = ?1 AND br = ?2",
        conversation,
        branch
    );
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("There is no such branch.");
    }
    Branch loaded;
    loaded.no = found.get<BranchNo>(0);
    loaded.parent = found.get<BranchNo>(1);
    loaded.fork = found.integer(2);
    loaded.head = found.integer(3);
    loaded.head_tokens = found.integer(4);
    loaded.anchor = found.integer(5);
    loaded.last_run = found.get<std::optional<RunNo>>(6);
    loaded.depth = found.integer(7);
    return loaded;
}

Status create_first_branch(Connection& db, ConversationNo conversation) {
    return db.run(
        "INSERT INTO branches (conv, br, parent_br, fork_pos, head_pos, head_cum_tok) VALUES (?1, ?2, 0, 0, 0, 0)",
        conversation,
        kFirstBranch
    );
}

namespace {

struct ForkPoint {
    BranchNo parent = kNoBranch;
    std::int64_t tokens = 0;
};

Result<ForkPoint> find_fork_point(Connection& db, ConversationNo conversation, const Branch& from, Position position) {
    if (position == 0) {
        return ForkPoint{};
    }
    TRY(const auto path, load_path(db, conversation, from.no, position, position));
    auto found = db.use(
        "SELECT cum_tok FROM items WHERE conv = ?1 AND br = ?2 AND pos = ?3",
        conversation,
        path.front().branch,
        position
    );
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("There is no such item.");
    }
    return ForkPoint{path.front().branch, found.integer(0)};
}

Result<BranchNo> next_branch_no(Connection& db, ConversationNo conversation) {
    auto newest = db.use("SELECT max(br) FROM branches WHERE conv = ?1", conversation);
    TRY(const bool row, newest.step());
    CONFAB_ASSERT(row);
    return static_cast<BranchNo>(newest.integer(0) + 1);
}

}  // namespace

Result<Branch> fork_branch(Connection& db, ConversationNo conversation, const Branch& from, Position position) {
    TRY(const ForkPoint point, find_fork_point(db, conversation, from, position));
    TRY(const BranchNo number, next_branch_no(db, conversation));
    Branch branch;
    branch.no = number;
    branch.parent = point.parent;
    branch.fork = position;
    branch.head = position;
    branch.head_tokens = point.tokens;
    branch.anchor = from.anchor <= position ? from.anchor : 1;
    if (branch.parent != kNoBranch) {
        TRY(const Branch parent, load_branch(db, conversation, branch.parent));
        branch.depth = parent.depth + 1;
    }
    if (branch.depth > kBranchDepthMax) {
        return base::invalid(
            "after",
            "This conversation has branches upon branches, 10,000 deep. Fork it into a new one to go on here.",
            "too_many_branches"
        );
    }
    TRY_VOID(db.run(
        "INSERT INTO branches (conv, br, parent_br, fork_pos, head_pos, head_cum_tok, anchor_pos, depth) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        conversation,
        branch.no,
        branch.parent,
        branch.fork,
        branch.head,
        branch.head_tokens,
        branch.anchor,
        branch.depth
    ));
    return branch;
}

Status save_branch(Connection& db, ConversationNo conversation, const Branch& branch) {
    return db.run(
        "UPDATE branches SET head_pos = ?3, head_cum_tok = ?4, anchor_pos = ?5, last_run = ?6 WHERE conv = ?1 AND br = "
        "?2",
        conversation,
        branch.no,
        branch.head,
        branch.head_tokens,
        branch.anchor,
        branch.last_run
    );
}

Result<std::vector<Segment>> load_path(
    Connection& db,
    ConversationNo conversation,
    BranchNo branch,
    Position first,
    Position last
) {
    CONFAB_ASSERT(first >= 1);
    std::vector<Segment> path;
    while (last >= first) {
        TRY(const Branch owner, load_branch(db, conversation, branch));
        if (last > owner.fork) {
            path.push_back({owner.no, std::max(first, owner.fork + 1), last});
        }
        last = std::min(last, owner.fork);
        branch = owner.parent;
    }
    std::reverse(path.begin(), path.end());
    return path;
}

}  // namespace confab::store::sqlite
