// Where the prompt of a run begins.
//
// The anchor stays while the history from it on fits into the budget, so that the prompt only grows at its end and the
// provider's prefix cache hits. When it does not fit any more, the anchor moves to the first turn boundary with at most
// 0.6 of the budget: with turns of 600 tokens and a budget of 32k that breaks the prefix once in some 20 turns. It
// moves back the same way when the budget has grown so much that less than 0.3 of it is used, for instance after a turn
// with a model of a small context.
//
// Running totals are stored, so finding it costs O(log n) index seeks (store.md, "Prompt assembly").
#pragma once

#include "store/sqlite/branches.hpp"

namespace confab::store::sqlite {

// Plans for the path of `branch` up to its head and sets branch.anchor; the caller saves it. The newest user item is
// always in, even when it alone exceeds the budget.
Result<PromptPlan> plan_prompt(Connection& db, ConversationNo conversation, Branch& branch, std::int64_t tokens_max);

}  // namespace confab::store::sqlite
