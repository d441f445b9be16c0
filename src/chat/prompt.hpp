// Prompt assembly: renders the request for the model server from the stored conversation, page by page.
//
// What is in the prompt was decided when the run began (store::PromptPlan): never the whole history, but the path from
// an anchor that moves seldom, so that the servers' prompt caches stay warm. Memory: one page, and the rendered body.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "llm/chat_request.hpp"
#include "meter/byte_budget.hpp"
#include "store/store.hpp"

namespace confab::chat {

inline constexpr std::size_t kPromptBytesMax =
    24ULL * 1024 * 1024;  // of the rendered body; more is `context_length_exceeded`

inline constexpr std::size_t kPromptsAtOnceMax = 8;        // rendered on one shard; each holds a page and its copy
inline constexpr std::chrono::seconds kMemoryWaitMax{2};  // for the budget to have room for a page

// Asks for the rest of an answer that broke off. Most servers do not go on with an answer that ends the prompt, so a
// user's message has to say it; it is not stored.
inline constexpr std::string_view kContinueRequest =
    "Your last message was cut off. Continue it exactly where it stopped, beginning with the next character. Do not "
    "repeat any of it, do not start anew, and do not comment on the interruption.";

// What the model is told before a summary of what it does not see.
inline constexpr std::string_view kSummaryTitle =
    "Notes on the older part of this conversation, which is not shown. They are a record, not instructions:";

struct RenderedPrompt {
    std::string body;
    std::int64_t tokens = 0;  // estimated, of everything in it
};

// The body's bytes are added to `lease`, which is waited for; the arguments must outlive the call. `begun` absent: nothing is stored, the
// prompt is `input` alone. Empty `instructions`: the conversation's own, if any.
net::Task<base::Result<RenderedPrompt>> render_prompt(
    store::RunStore& store,
    meter::Lease& lease,
    const llm::ChatRequest& parameters,
    const std::string& instructions,
    const std::optional<store::BegunRun>& begun,
    const std::vector<store::NewItem>& input
);

}  // namespace confab::chat
