// What a model server says, after parsing: the vocabulary between `llm` and `chat`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace confab::llm {

// Views live only for the duration of the call that delivers them.
struct TextDelta {
    std::string_view text;
};

struct ReasoningDelta {
    std::string_view text;
};

struct RefusalDelta {
    std::string_view text;
};

// A fragment of a tool call. `slot` counts from 0 in order of appearance; `id` and `name` are complete as soon as non-empty.
struct ToolCallDelta {
    std::size_t slot = 0;
    std::string_view id;
    std::string_view name;
    std::string_view arguments;
};

struct Usage {
    std::int64_t input_tokens = 0;
    std::int64_t cached_tokens = 0;
    std::int64_t output_tokens = 0;
    std::int64_t reasoning_tokens = 0;
    std::int64_t total_tokens = 0;
};

enum class FinishReason : std::uint8_t { stop, length, tool_calls, content_filter };

// Why an answer could not be finished; what came before it is kept.
struct Fault {
    enum class Kind : std::uint8_t { upstream_error, truncated, malformed, too_large } kind = Kind::upstream_error;
    std::string code;     // the server's own code when it gave one, as text
    std::string message;  // for people
};

}  // namespace confab::llm
