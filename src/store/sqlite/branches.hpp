// Branches and paths. A branch continues its parent's path after fork_pos; nothing is copied. The path of a branch is a
// short list of segments, each a stretch of positions whose items belong to one branch. Positions on a path are
// dense: 1..head.
#pragma once

#include <optional>
#include <vector>

#include "store/rows.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

inline constexpr BranchNo kNoBranch{0};
inline constexpr BranchNo kFirstBranch{1};

inline constexpr std::int64_t kBranchDepthMax = 10'000;  // branches that leave branches that leave ...

struct Branch {
    BranchNo no{};
    BranchNo parent = kNoBranch;   // owner of the item at `fork`
    Position fork = 0;             // own items stand at fork + 1 .. head
    Position head = 0;             // equals fork while the branch has no items of its own
    std::int64_t head_tokens = 0;  // sum along the whole path
    Position anchor = 1;           // where the prompt of the last run began
    std::optional<RunNo> last_run;
    std::int64_t depth = 0;
};

struct Segment {
    BranchNo branch{};
    Position first = 0;
    Position last = 0;
};

// `not_found` when there is no such branch.
Result<Branch> load_branch(Connection& db, ConversationNo conversation, BranchNo branch);

// The first branch of a new conversation.
Status create_first_branch(Connection& db, ConversationNo conversation);

// `invalid_request` (too_many_branches) beyond kBranchDepthMax. Opens a branch after the item at `position` of the path of `from`; position 0 starts an empty path. It keeps `from`'s
// anchor when that stands on the shared part.
Result<Branch> fork_branch(Connection& db, ConversationNo conversation, const Branch& from, Position position);

// Writes head, head_tokens, anchor and last_run.
Status save_branch(Connection& db, ConversationNo conversation, const Branch& branch);

// The segments of the path of `branch` that cover [first, last], oldest first. Costs one seek per segment above
// `first`.
Result<std::vector<Segment>> load_path(
    Connection& db,
    ConversationNo conversation,
    BranchNo branch,
    Position first,
    Position last
);

}  // namespace confab::store::sqlite
