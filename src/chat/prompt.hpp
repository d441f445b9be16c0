// Prompt assembly: renders the request for the model server from the stored conversation, page by page.
//
// What is in the prompt was decided when the run began (store::PromptPlan): never the whole history, but the path from an anchor
// that moves seldom, so that the servers' prompt caches stay warm. Memory: one page, and the rendered body.
#pragma once

#include <string>
#include <vector>

#include "llm/chat_request.hpp"
#include "store/store.hpp"

namespace confab::chat {

inline constexpr std::size_t kPromptBytesMax = 24ULL * 1024 * 1024;  // of the rendered body; more is `context_length_exceeded`

// `begun` absent: nothing is stored, the prompt is `input` alone. Empty `instructions`: the conversation's own, if any.
net::Task<base::Result<std::string>> render_prompt(
    store::RunStore& store,
    llm::ChatRequest parameters,
    std::string instructions,
    std::optional<store::BegunRun> begun,
    std::vector<store::NewItem> input
);

}  // namespace confab::chat
