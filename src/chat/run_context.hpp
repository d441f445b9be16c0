// What a run does about its model's context: the budget of its prompt, a shorter one, and what is to be summarised.
#pragma once

#include "chat/runs.hpp"

namespace confab::chat {

// Fills in the budget. `invalid_request` (context_length_exceeded) when the input alone is more than the model takes.
base::Status plan_budget(const llm::Catalog& catalog, const TokenCalibration* calibration, RunRequest& request);

// The model server says that the prompt is too long.
bool is_context_exceeded(const base::Result<llm::Outcome>& outcome);

// The context that the server named with it; 0: none.
std::int64_t window_named_by(const base::Result<llm::Outcome>& outcome);

// The error for the client, with the server's words.
std::unexpected<base::Error> context_exceeded(const base::Result<llm::Outcome>& outcome);

// The budget of the second try: 0.7 of the first, or what the context that the server named leaves, if that is less.
std::int64_t shorter_budget(
    const llm::Catalog& catalog,
    const TokenCalibration* calibration,
    const RunRequest& request,
    const store::BegunRun& begun
);

// Nothing while the prompt is far from full, or when nothing of the run is kept.
std::optional<CompactionWanted> compaction_after(
    const RunRequest& request,
    const std::optional<store::BegunRun>& begun
);

}  // namespace confab::chat
