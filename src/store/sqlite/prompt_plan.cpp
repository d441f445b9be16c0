#include "store/sqlite/prompt_plan.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace confab::store::sqlite {

namespace {

// A turn is looked for this far and no farther: one answer may stand in many items.
constexpr Position kTurnItemsMax = 1'000;

// Walks over the items of a turn and tells where a step begins: after outputs, when every call before has one, or when
// the model went on without the rest.
class StepFinder {
public:
    bool begins_with(ItemType type, ItemRole role) {
        const bool after_outputs = std::exchange(after_outputs_, type == ItemType::function_call_output);
        if (type == ItemType::function_call_output) {
            unanswered_ = std::max(unanswered_ - 1, 0);
            return false;
        }
        const bool thinks_on = type == ItemType::function_call || type == ItemType::reasoning;
        const bool begins = after_outputs && (thinks_on || (unanswered_ == 0 && role == ItemRole::assistant));
        if (begins) {
            unanswered_ = 0;
        }
        unanswered_ += type == ItemType::function_call ? 1 : 0;
        return begins;
    }

private:
    int unanswered_ = 0;
    bool after_outputs_ = false;
};

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

    // The first position of [1, last + 1] before which at least `tokens` stand.
    Result<Position> first_after(std::int64_t tokens, Position last) {
        Position low = 1;
        Position high = last + 1;  // none
        while (low < high) {
            const Position middle = low + (high - low) / 2;
            TRY(const std::int64_t before, tokens_before(middle));
            if (before >= tokens) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return low;
    }

    // Where a turn may be entered: the first step in [first, last] that begins at or after `wanted`, else the last one.
    Result<std::optional<Position>> find_step(Position first, Position wanted, Position last) {
        first = std::max(first, last - kTurnItemsMax + 1);
        StepFinder steps;
        std::optional<Position> step;
        for (const Segment& segment : path_) {
            if (segment.last < first || segment.first > last) {
                continue;
            }
            auto items = db_.use(
                "SELECT pos, type, role FROM items WHERE conv = ?1 AND br = ?2 AND pos BETWEEN ?3 AND ?4 "
                "AND deleted_at IS NULL ORDER BY pos",
                conversation_,
                segment.branch,
                std::max(first, segment.first),
                std::min(last, segment.last)
            );
            for (;;) {
                TRY(const bool row, items.step());
                if (!row) {
                    break;
                }
                if (steps.begins_with(items.get<ItemType>(1), items.get<ItemRole>(2))) {
                    step = items.integer(0);
                    if (*step >= wanted) {
                        return step;
                    }
                }
            }
        }
        return step;
    }

private:
    Connection& db_;
    const ConversationNo conversation_;
    const std::vector<Segment> path_;
};

struct ItemFacts {
    ItemRole role = ItemRole::user;
    std::int64_t tokens = 0;
    std::int64_t tokens_before = 0;
};

Result<ItemFacts> load_facts(Connection& db, ConversationNo conversation, BranchNo branch, Position position) {
    TRY(const auto path, load_path(db, conversation, branch, position, position));
    auto found = db.use(
        "SELECT role, tok, cum_tok - tok FROM items WHERE conv = ?1 AND br = ?2 AND pos = ?3",
        conversation,
        path.front().branch,
        position
    );
    TRY(const bool row, found.step());
    CONFAB_ASSERT(row);
    return ItemFacts{found.get<ItemRole>(0), found.integer(1), found.integer(2)};
}

// What a prompt from `anchor` on holds. A seek in the branch itself in all but the first turns after a fork.
Result<PromptPlan> plan_from(Connection& db, ConversationNo conversation, const Branch& branch, Position anchor) {
    PromptPlan plan{anchor, branch.head, branch.head_tokens};
    if (anchor == 1) {
        return plan;
    }
    TRY(const ItemFacts first, load_facts(db, conversation, branch.no, anchor));
    plan.tokens -= first.tokens_before;
    if (first.role != ItemRole::user) {
        TRY(plan.question, find_question(db, conversation, branch.no, anchor));
        if (plan.question != 0) {
            TRY(const ItemFacts question, load_facts(db, conversation, branch.no, plan.question));
            plan.tokens += question.tokens;
        }
    }
    return plan;
}

// Inside the newest turn, which is too long: the first step that fits together with the question.
Result<Position> find_step(
    PathReader& reader,
    const Branch& branch,
    std::optional<Position> question,
    const AnchorWanted& wanted
) {
    std::int64_t kept = wanted.tokens_kept;
    if (question) {
        TRY(const std::int64_t before, reader.tokens_before(*question));
        TRY(const std::int64_t after, reader.tokens_before(std::min(*question + 1, branch.head)));
        const std::int64_t asked = *question == branch.head ? branch.head_tokens - before : after - before;
        if (branch.head_tokens - before <= wanted.tokens_max || asked > wanted.tokens_max / 2) {
            return *question;
        }
        kept = std::max<std::int64_t>(kept - asked, 0);
    }
    TRY(const Position low, reader.first_after(branch.head_tokens - kept, branch.head));
    TRY(const auto step, reader.find_step(question.value_or(1), low, branch.head));
    return step.value_or(question.value_or(std::min(low, branch.head)));
}

}  // namespace

// Falls back to the newest turn, or a step of it, and without one near the end to the first item that fits, or the last
// one.
Result<Position> find_anchor(
    Connection& db,
    ConversationNo conversation,
    const Branch& branch,
    const AnchorWanted& wanted
) {
    TRY(auto path, load_path(db, conversation, branch.no, 1, branch.head));
    PathReader reader(db, conversation, std::move(path));
    TRY(const Position low, reader.first_after(branch.head_tokens - wanted.tokens_kept, branch.head));
    TRY(auto turn, reader.first_user_item(low, branch.head));
    if (turn) {
        return *turn;
    }
    TRY(turn, reader.last_user_item(branch.head));
    return find_step(reader, branch, turn, wanted);
}

Result<Position> find_question(Connection& db, ConversationNo conversation, BranchNo branch, Position anchor) {
    if (anchor <= 1) {
        return 0;
    }
    const Position first = std::max<Position>(1, anchor - kTurnItemsMax);
    TRY(auto path, load_path(db, conversation, branch, first, anchor));
    PathReader reader(db, conversation, std::move(path));
    TRY(const auto question, reader.last_user_item(anchor));
    return question && *question < anchor ? *question : 0;
}

Result<Position> first_within(
    Connection& db,
    ConversationNo conversation,
    const Branch& branch,
    Position last,
    std::int64_t tokens
) {
    TRY(auto path, load_path(db, conversation, branch.no, 1, branch.head));
    PathReader reader(db, conversation, std::move(path));
    std::int64_t end = branch.head_tokens;
    if (last < branch.head) {
        TRY(end, reader.tokens_before(last + 1));
    }
    TRY(const Position first, reader.first_after(end - tokens, last));
    return std::min(first, last);
}

Result<PromptPlan> plan_prompt(
    Connection& db,
    ConversationNo conversation,
    Branch& branch,
    std::int64_t tokens_max,
    Position summarised
) {
    if (branch.head == 0) {
        return PromptPlan{};
    }
    tokens_max = std::max<std::int64_t>(tokens_max, 0);
    TRY(PromptPlan plan, plan_from(db, conversation, branch, branch.anchor));
    const bool too_much = plan.tokens > tokens_max;
    const bool too_little = branch.anchor > 1 && plan.tokens < tokens_max / 10 * 3;
    if (!too_much && !too_little) {
        return plan;
    }
    if (too_much && summarised + 1 > branch.anchor && summarised < branch.head) {
        TRY(const PromptPlan behind, plan_from(db, conversation, branch, summarised + 1));
        if (behind.tokens <= tokens_max / 10 * 8 && behind.tokens >= tokens_max / 10 * 3) {
            branch.anchor = behind.anchor;
            return behind;
        }
    }
    TRY(branch.anchor, find_anchor(db, conversation, branch, {tokens_max / 10 * 6, tokens_max}));
    return plan_from(db, conversation, branch, branch.anchor);
}

}  // namespace confab::store::sqlite
