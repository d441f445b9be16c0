#include "store/sqlite/prompt_plan.hpp"

#include <algorithm>
#include <optional>

namespace confab::store::sqlite {

namespace {

// A turn is looked for this far and no farther: one answer may stand in many items.
constexpr Position kTurnItemsMax = 1'000;

// Reads along one path.
class PathReader {
public:
    PathReader(Connection& db, ConversationNo conversation, std::vector<Segment> path)
        : db_(db), conversation_(conversation), path_(std::move(path)) {}

    // Tokens of all items before `position`.
    Result<std::int64_t> tokens_before(Position position) {
        const auto segment = std::lower_bound(
            path_.begin(), path_.end(), position, [](const Segment& one, Position wanted) { return one.last < wanted; }
        );
        CONFAB_ASSERT(segment != path_.end() && segment->first <= position);
        auto found = db_.use(
            "SELECT cum_tok - tok FROM items WHERE conv = ?1 AND br = ?2 AND pos = ?3",
            conversation_,
            segment->branch,
            position
        );
        TRY(const bool row, found.step());
        CONFAB_ASSERT(row);
        return found.integer(0);
    }

    // The first user item in [first, last], within kTurnItemsMax.
    Result<std::optional<Position>> first_user_item(Position first, Position last) {
        last = std::min(last, first + kTurnItemsMax - 1);
        for (const Segment& segment : path_) {
            if (segment.last < first || segment.first > last) {
                continue;
            }
            auto found = db_.use(
                "SELECT pos FROM items WHERE conv = ?1 AND br = ?2 AND pos BETWEEN ?3 AND ?4 AND role = ?5 "
                "AND deleted_at IS NULL ORDER BY pos LIMIT 1",
                conversation_,
                segment.branch,
                std::max(first, segment.first),
                std::min(last, segment.last),
                ItemRole::user
            );
            TRY(const bool row, found.step());
            if (row) {
                return found.integer(0);
            }
        }
        return std::nullopt;
    }

    // The last user item in [1, last], within kTurnItemsMax.
    Result<std::optional<Position>> last_user_item(Position last) {
        const Position first = std::max<Position>(1, last - kTurnItemsMax + 1);
        for (auto segment = path_.rbegin(); segment != path_.rend() && segment->last >= first; ++segment) {
            auto found = db_.use(
                "SELECT pos FROM items WHERE conv = ?1 AND br = ?2 AND pos BETWEEN ?3 AND ?4 AND role = ?5 "
                "AND deleted_at IS NULL ORDER BY pos DESC LIMIT 1",
                conversation_,
                segment->branch,
                std::max(first, segment->first),
                std::min(last, segment->last),
                ItemRole::user
            );
            TRY(const bool row, found.step());
            if (row) {
                return found.integer(0);
            }
        }
        return std::nullopt;
    }

private:
    Connection& db_;
    const ConversationNo conversation_;
    const std::vector<Segment> path_;
};

// Tokens before the branch's present anchor; a seek in the branch itself in all but the first turns after a fork.
Result<std::int64_t> tokens_before_anchor(Connection& db, ConversationNo conversation, const Branch& branch) {
    if (branch.anchor == 1) {
        return 0;
    }
    TRY(auto path, load_path(db, conversation, branch.no, branch.anchor, branch.anchor));
    return PathReader(db, conversation, std::move(path)).tokens_before(branch.anchor);
}

// The first turn boundary from which on at most `tokens` are left. Falls back to the newest user item, and without one
// near the end to the first item that fits, or the last one.
Result<Position> find_anchor(Connection& db, ConversationNo conversation, const Branch& branch, std::int64_t tokens) {
    TRY(auto path, load_path(db, conversation, branch.no, 1, branch.head));
    PathReader reader(db, conversation, std::move(path));
    const std::int64_t before_min = branch.head_tokens - tokens;
    Position low = 1;
    Position high = branch.head + 1;  // nothing fits
    while (low < high) {
        const Position middle = low + (high - low) / 2;
        TRY(const std::int64_t before, reader.tokens_before(middle));
        if (before >= before_min) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    TRY(auto turn, reader.first_user_item(low, branch.head));
    if (!turn) {
        TRY(turn, reader.last_user_item(branch.head));
    }
    return turn.value_or(std::min(low, branch.head));
}

}  // namespace

Result<PromptPlan> plan_prompt(Connection& db, ConversationNo conversation, Branch& branch, std::int64_t tokens_max) {
    if (branch.head == 0) {
        return PromptPlan{};
    }
    TRY(std::int64_t before, tokens_before_anchor(db, conversation, branch));
    const std::int64_t tokens = branch.head_tokens - before;
    const bool too_much = tokens > tokens_max;
    const bool too_little = branch.anchor > 1 && tokens < tokens_max / 10 * 3;
    if (too_much || too_little) {
        TRY(branch.anchor, find_anchor(db, conversation, branch, std::max<std::int64_t>(tokens_max, 0) / 10 * 6));
        TRY(before, tokens_before_anchor(db, conversation, branch));
    }
    return PromptPlan{branch.anchor, branch.head, branch.head_tokens - before};
}

}  // namespace confab::store::sqlite
