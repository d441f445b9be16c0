// `tools`, `tool_choice`, `parallel_tool_calls` and `reasoning` of POST /v1/responses -> members of a chat completion.
//
// Functions go on to the model server. Tools of other types are OpenAI's own and cannot run here: they are accepted,
// repeated in the Response, and not sent.
#pragma once

#include "api/body.hpp"
#include "llm/chat_request.hpp"

namespace confab::api {

inline constexpr std::size_t kToolsMax = 128;                // OpenAI's own limit
inline constexpr std::size_t kToolsBytesMax = 256 * 1024;    // of all tools as JSON: every Response repeats them
inline constexpr std::size_t kFunctionNameBytesMax = 128;    // also of the chosen one
inline constexpr std::size_t kReasoningEffortBytesMax = 32;  // "minimal", "high", and what servers may add

struct ToolFields {
    std::string tools = "[]";  // as the Response repeats them, like the next
    std::string tool_choice = R"("auto")";
    bool parallel_tool_calls = true;
};

// Adds the members to `parameters`.
base::Result<ToolFields> parse_tools(const Fields& fields, llm::ChatRequest& parameters);

// `reasoning.effort`, likewise.
base::Status parse_reasoning(const Fields& fields, llm::ChatRequest& parameters);

}  // namespace confab::api
