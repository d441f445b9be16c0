// PromptBudget: how many tokens of a model's context its history and input may take (the budget B).
//
// B = the context - the output - the instructions - the tools. It is counted in the tokens of the neutral estimate, as
// the stored totals are: what the server counts is divided by the calibrated factor, or, before the first usage came,
// by how the model's family differs on the text at hand.
#pragma once

#include "chat/token_calibration.hpp"
#include "llm/chat_request.hpp"
#include "llm/upstream.hpp"

namespace confab::chat {

inline constexpr std::int64_t kOutputTokensReserved =
    4'096;  // of the context, when the request names no limit of its own

// Of what is sent besides the history.
struct PromptParts {
    const llm::ChatRequest& parameters;
    std::string_view instructions;
    std::string_view sample;  // newest text, for the model's family; may be empty
};

struct PromptBudget {
    llm::ContextWindow window;
    std::int64_t output_tokens = 0;  // kept free, as the server counts
    std::int64_t fixed_tokens = 0;   // instructions and tools, estimated
    double factor = 1;               // tokens counted for each one estimated
    bool calibrated = false;
    std::int64_t tokens_max = 0;  // B, estimated

    std::int64_t counted(std::int64_t estimated) const {
        return static_cast<std::int64_t>(static_cast<double>(estimated) * factor);
    }

    // More than that, estimated, is too much for the context by any estimate. Without bound when the context is a
    // guess.
    std::int64_t sure_tokens_max() const;

    // What history and input may take when nothing may be left out; without bound when the context is a guess.
    std::int64_t whole_tokens_max() const;

    // The same in a window of `tokens`.
    std::int64_t tokens_max_within(std::int64_t tokens) const;
};

// `calibration` null: nothing is known.
PromptBudget make_prompt_budget(
    const llm::Catalog& catalog,
    const TokenCalibration* calibration,
    const std::string& model,
    const PromptParts& parts
);

// Tools and whatever else a request carries besides its messages.
std::int64_t estimate_parameters(const llm::ChatRequest& parameters);

}  // namespace confab::chat
