// Summaries of the older parts of paths, what runs send of them, and the token factors. The meaning of each call is
// that of ContextStore.
#pragma once

#include <vector>

#include "store/context_store.hpp"
#include "store/sqlite/items.hpp"

namespace confab::store::sqlite {

// The largest summary of the path of `branch` that ends at or before `last`: a seek for each segment of the path.
Result<std::optional<Summary>> find_summary(
    Connection& db,
    ConversationNo conversation,
    BranchNo branch,
    Position last
);

Result<std::optional<SummaryPlan>> plan_summary(
    Connection& db,
    ConversationNo conversation,
    BranchNo branch,
    std::int64_t tokens_max,
    std::int64_t step_tokens_max
);
Result<bool> save_summary(Connection& db, const SummaryPlan& plan, const Summary& summary);

// An item is deleted: what summarises it goes, and what is being made of it will not be saved.
Status drop_summaries(Connection& db, const ItemPlace& item);

// All of a conversation.
Status wipe_summaries(Connection& db, ConversationNo conversation);

Result<std::vector<TokenFactor>> list_token_factors(Connection& db);
Status save_token_factor(Connection& db, const TokenFactor& factor);

}  // namespace confab::store::sqlite
