// Where the prompt of a run begins.
//
// The anchor stays while the history from it on fits into the budget, so that the prompt only grows at its end and the
// provider's prefix cache hits. When it does not fit any more, the anchor moves to the first turn boundary with at most
// 0.6 of the budget: with turns of 600 tokens and a budget of 32k that breaks the prefix once in some 20 turns. It
// moves back the same way when the budget has grown so much that less than 0.3 of it is used, for instance after a turn
// with a model of a small context.
//
// A turn that is too long by itself, of an agent for instance, is entered at a step: right after all outputs that the
// calls before were given, so that no call is parted from its output. The turn's question then goes before it.
//
// Running totals are stored, so finding it costs O(log n) index seeks (store.md, "Prompt assembly").
#pragma once

#include "store/sqlite/branches.hpp"

namespace confab::store::sqlite {

// Plans for the path of `branch` up to its head and sets branch.anchor; the caller saves it. The newest user item is
// always in, even when it alone exceeds the budget. `summarised`: where the newest summary of the path ends; the anchor
// moves right behind it when that leaves neither too much nor too little. 0: there is none.
Result<PromptPlan> plan_prompt(
    Connection& db,
    ConversationNo conversation,
    Branch& branch,
    std::int64_t tokens_max,
    Position summarised = 0
);

struct AnchorWanted {
    std::int64_t tokens_kept = 0;  // at most so many from the anchor on
    std::int64_t tokens_max = 0;   // a turn may have so many when no later one begins
};

// Where the anchor would move to.
Result<Position> find_anchor(
    Connection& db,
    ConversationNo conversation,
    const Branch& branch,
    const AnchorWanted& wanted
);

// The question of the turn that `anchor` stands inside of; 0: a turn begins there, or none is near.
Result<Position> find_question(Connection& db, ConversationNo conversation, BranchNo branch, Position anchor);

// The first position from which on up to `last` there are at most `tokens`.
Result<Position> first_within(
    Connection& db,
    ConversationNo conversation,
    const Branch& branch,
    Position last,
    std::int64_t tokens
);

}  // namespace confab::store::sqlite
