#include "chat/run_context.hpp"

#include <algorithm>

#include "llm/context_error.hpp"
#include "llm/token_estimate.hpp"

namespace confab::chat {

namespace {

constexpr std::string_view kExceeded = "context_length_exceeded";

// What the server said; both empty when it did not refuse.
struct Refusal {
    std::string_view code;
    std::string_view message;
};

Refusal refusal_of(const base::Result<llm::Outcome>& outcome) {
    if (!outcome) {
        return {outcome.error().code, outcome.error().message};
    }
    return outcome->fault() != nullptr ? Refusal{outcome->fault()->code, outcome->fault()->message} : Refusal{};
}

std::string_view newest_text(const std::vector<store::NewItem>& input) {
    return input.empty() ? std::string_view() : std::string_view(input.back().body);
}

// The conversation's instructions are part of what the budget has to hold, unless the request has its own.
std::int64_t stored_instructions(const RunRequest& request, const store::BegunRun& begun) {
    return request.instructions.empty() ? llm::estimate_tokens(begun.conversation_instructions) : 0;
}

}  // namespace

base::Status plan_budget(const llm::Catalog& catalog, const TokenCalibration* calibration, RunRequest& request) {
    const PromptParts parts{request.parameters, request.instructions, newest_text(request.input)};
    const PromptBudget budget = make_prompt_budget(catalog, calibration, request.model, parts);
    std::int64_t input = 0;
    for (const store::NewItem& item : request.input) {
        input += item.tokens;
    }
    if (input > budget.sure_tokens_max()) {
        return base::invalid(
            "input",
            "The input is longer than the model's context of " + std::to_string(budget.window.tokens) + " tokens.",
            std::string(kExceeded)
        );
    }
    const bool goes_on = request.target.conversation || request.target.previous_response;
    const bool whole = request.truncation == store::Truncation::disabled;
    request.prompt_tokens_max = !whole    ? budget.tokens_max
                                : goes_on ? budget.whole_tokens_max()
                                          : budget.sure_tokens_max();
    return {};
}

bool is_context_exceeded(const base::Result<llm::Outcome>& outcome) {
    const Refusal refusal = refusal_of(outcome);
    return llm::says_context_exceeded(refusal.code, refusal.message);
}

std::int64_t window_named_by(const base::Result<llm::Outcome>& outcome) {
    return llm::named_window(refusal_of(outcome).message);
}

std::unexpected<base::Error> context_exceeded(const base::Result<llm::Outcome>& outcome) {
    const Refusal refusal = refusal_of(outcome);
    return base::invalid(
        "input",
        "The messages are longer than the model's context. The model server says: " + std::string(refusal.message),
        std::string(kExceeded)
    );
}

std::int64_t shorter_budget(
    const llm::Catalog& catalog,
    const TokenCalibration* calibration,
    const RunRequest& request,
    const store::BegunRun& begun
) {
    const PromptParts parts{request.parameters, request.instructions, newest_text(request.input)};
    const PromptBudget budget = make_prompt_budget(catalog, calibration, request.model, parts);
    const std::int64_t before = std::min(request.prompt_tokens_max, begun.prompt.tokens);
    return std::min(before / 10 * 7, budget.tokens_max) - stored_instructions(request, begun);
}

std::optional<CompactionWanted> compaction_after(
    const RunRequest& request,
    const std::optional<store::BegunRun>& begun
) {
    const bool kept = request.stored || request.target.conversation;
    if (!begun || !kept || request.truncation == store::Truncation::disabled) {
        return std::nullopt;
    }
    const std::int64_t tokens_max = request.prompt_tokens_max - stored_instructions(request, *begun);
    if (begun->prompt.anchor == 1 && begun->prompt.tokens < tokens_max / 2) {
        return std::nullopt;
    }
    return CompactionWanted{begun->conversation_no, begun->branch, request.model, tokens_max};
}

}  // namespace confab::chat
