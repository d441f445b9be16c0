// What a run sends of its conversation: the plan of prompt_plan.hpp, and the summary of what comes before it.
#pragma once

#include "store/context_store.hpp"
#include "store/sqlite/prompt_plan.hpp"

namespace confab::store::sqlite {

struct PromptWanted {
    ConversationNo conversation{};
    std::int64_t tokens_max = 0;
    Truncation truncation = Truncation::automatic;
};

// Sets branch.anchor; the caller saves it. `invalid_request` (context_length_exceeded) when nothing may be left out
// and something would have to be.
Result<PlannedPrompt> plan_run_prompt(Connection& db, const PromptWanted& wanted, Branch& branch);

// By the conversation's own setting, or else the server's.
Result<bool> compaction_is_on(Connection& db, ConversationNo conversation);

Result<PlannedPrompt> replan_run(Connection& db, RunNo run, std::int64_t tokens_max);
Result<ContextView> view_context(Connection& db, UserNo user, ConversationId id, std::int64_t tokens_max);

}  // namespace confab::store::sqlite
