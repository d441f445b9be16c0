#include "chat/prompt_budget.hpp"

#include <algorithm>

#include "llm/token_estimate.hpp"

namespace confab::chat {

namespace {

// Estimates are wrong by chance too, even with the right factor.
constexpr double kMarginCalibrated = 1.05;
constexpr double kMarginGuessed = 1.15;

// What no estimate is wrong by.
constexpr double kLeastCalibrated = 0.85;
constexpr double kLeastGuessed = 0.5;

constexpr std::int64_t kUnbounded = INT64_MAX / 4;

constexpr std::size_t kSampleBytesMax = 16 * 1024;
constexpr std::int64_t kSampleWeight =
    100;  // tokens of a text on which all families agree, so that few words say little

double family_factor(const std::string& model, std::string_view sample) {
    sample = sample.substr(0, kSampleBytesMax);
    const auto family = llm::estimate_tokens(sample, llm::token_family(model)) + kSampleWeight;
    const auto neutral = llm::estimate_tokens(sample) + kSampleWeight;
    return std::clamp(static_cast<double>(family) / static_cast<double>(neutral), kTokenFactorMin, kTokenFactorMax);
}

}  // namespace

std::int64_t PromptBudget::sure_tokens_max() const {
    if (!window.known) {
        return kUnbounded;
    }
    const double least = factor * (calibrated ? kLeastCalibrated : kLeastGuessed);
    return static_cast<std::int64_t>(static_cast<double>(window.tokens) / least) - fixed_tokens;
}

std::int64_t PromptBudget::whole_tokens_max() const {
    if (!window.known) {
        return kUnbounded;
    }
    return static_cast<std::int64_t>(static_cast<double>(window.tokens - output_tokens) / factor) - fixed_tokens;
}

std::int64_t PromptBudget::tokens_max_within(std::int64_t tokens) const {
    const double margin = calibrated ? kMarginCalibrated : kMarginGuessed;
    const auto estimated = [&](std::int64_t counted_tokens) {
        return static_cast<std::int64_t>(static_cast<double>(counted_tokens) / (factor * margin));
    };
    return std::max(estimated(tokens - output_tokens) - fixed_tokens, estimated(tokens / 8));
}

std::int64_t estimate_parameters(const llm::ChatRequest& parameters) {
    std::int64_t tokens = 0;
    for (const auto& [name, value] : parameters.extra_members) {
        tokens += llm::estimate_tokens(value);
    }
    return tokens;
}

PromptBudget make_prompt_budget(
    const llm::Catalog& catalog,
    const TokenCalibration* calibration,
    const std::string& model,
    const PromptParts& parts
) {
    PromptBudget budget;
    TokenKnowledge known;
    const auto upstream = catalog.resolve(model);
    if (upstream && *upstream) {
        budget.window = catalog.window_of(*upstream, model);
        if (calibration != nullptr) {
            known = calibration->find((*upstream)->name, model);
        }
    }
    if (known.window > 0) {
        budget.window.tokens = budget.window.known ? std::min(budget.window.tokens, known.window) : known.window;
        budget.window.known = true;
    }
    budget.calibrated = known.samples > 0;
    budget.factor = budget.calibrated ? known.factor : family_factor(model, parts.sample);
    const std::int64_t context = budget.window.tokens;
    budget.output_tokens = parts.parameters.output_tokens_max.value_or(std::min(kOutputTokensReserved, context / 4));
    budget.fixed_tokens = estimate_parameters(parts.parameters);
    if (!parts.instructions.empty()) {
        budget.fixed_tokens += llm::estimate_tokens(parts.instructions) + llm::kMessageTokens;
    }
    budget.tokens_max = budget.tokens_max_within(context);
    return budget;
}

}  // namespace confab::chat
