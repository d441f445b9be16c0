// ContextStore: what a model sees of a conversation, summaries of what it does not see, and how its tokens compare with
// our estimates.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "net/task.hpp"
#include "store/rows.hpp"

namespace confab::store {

// The prompt of a run, planned once more with another budget.
struct PlannedPrompt {
    PromptPlan plan;
    std::optional<Summary> summary;
};

// What the next run on a conversation's active branch would send, apart from its input.
struct ContextView {
    PlannedPrompt prompt;
    std::optional<ItemId> first_item;    // absent: an empty conversation
    std::optional<ItemId> summary_item;  // the last one that the summary covers; absent: deleted, or no summary
    bool compaction = false;             // is on
};

// What is to be summarised: the items [from, upto] of the path of `branch`, on top of `previous`.
struct SummaryPlan {
    ConversationNo conversation{};
    BranchNo branch{};
    Position from = 0;
    Position upto = 0;
    std::int64_t epoch = 0;  // of deletions
    std::optional<Summary> previous;
};

// How the tokens that a server counts compare with our estimate.
struct TokenFactor {
    std::string upstream;
    std::string model;
    std::int64_t thousandths = 1'000;
    std::int64_t samples = 0;
    std::int64_t context_tokens = 0;  // 0: the server never named its window
};

inline constexpr std::int64_t kSummariesMax = 64;        // of one conversation; the oldest goes
inline constexpr std::int64_t kTokenFactorsMax = 1'000;  // pairs of server and model

// Of a budget, what a summary may take. Kept free whether there is one or not, so that the anchor does not depend on
// it.
constexpr std::int64_t summary_reserve(std::int64_t tokens_max) {
    return tokens_max / 8 < 1'000 ? tokens_max / 8 : 1'000;
}

class ContextStore {
public:
    virtual ~ContextStore() = default;

    // A run in progress whose prompt was too long for its server gets one that is planned with a smaller budget,
    // the conversation's instructions taken off. `not_found` when the run has ended.
    virtual net::Task<base::Result<PlannedPrompt>> replan_run(RunNo run, std::int64_t tokens_max) = 0;

    // `tokens_max`: for history and input, the conversation's instructions taken off. `not_found`.
    virtual net::Task<base::Result<ContextView>> view_context(
        UserNo user,
        ConversationId id,
        std::int64_t tokens_max
    ) = 0;

    // What should be summarised now on the path of `branch`; nothing when compaction is off, or there is no need. The
    // items' tokens are at most `step_tokens_max`: older ones that no summary covers are left out for good.
    virtual net::Task<base::Result<std::optional<SummaryPlan>>> plan_summary(
        ConversationNo conversation,
        BranchNo branch,
        std::int64_t tokens_max,
        std::int64_t step_tokens_max
    ) = 0;

    // False: not saved, because the conversation or one of its items was deleted since the plan was made.
    virtual net::Task<base::Result<bool>> save_summary(SummaryPlan plan, Summary summary) = 0;

    virtual net::Task<base::Result<std::vector<TokenFactor>>> list_token_factors() = 0;
    virtual net::Task<base::Status> save_token_factor(TokenFactor factor) = 0;
};

}  // namespace confab::store
