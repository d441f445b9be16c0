// What a model server says, after parsing: the vocabulary between `llm` and `chat`.
#pragma once

#include <cstdint>
#include <optional>
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

// A fragment of a tool call. `slot` counts from 0 in order of appearance. Every delta repeats the call's `id`, which is
// never empty, and its `name`, which may come later than the first delta; `arguments` is the next fragment of a JSON
// text.
struct ToolCallDelta {
    std::size_t slot = 0;
    std::string_view id;
    std::string_view name;
    std::string_view arguments;
    std::string_view
        extra_content;  // JSON that has to be sent back with the call (Gemini's thought signature), mostly empty
};

struct Usage {
    std::int64_t input_tokens = 0;
    std::int64_t cached_tokens = 0;
    std::int64_t output_tokens = 0;
    std::int64_t reasoning_tokens = 0;
    std::int64_t total_tokens = 0;

    friend bool operator==(const Usage&, const Usage&) = default;
};

enum class FinishReason : std::uint8_t { stop, length, tool_calls, content_filter };

// Why an answer could not be finished; what came before it is kept.
struct Fault {
    enum class Kind : std::uint8_t { upstream_error, truncated, malformed, too_large } kind = Kind::upstream_error;
    std::string code;     // the server's own code when it gave one, as text
    std::string message;  // for people: one line, at most 2 KiB; may repeat an API key, see redact() in error_body.hpp
};

// How an answer ended.
struct Outcome {
    std::variant<FinishReason, Fault> end = FinishReason::stop;
    std::optional<Usage> usage;     // the last one the server gave
    std::string raw_finish_reason;  // in the server's own words; empty when it gave none

    const Fault* fault() const { return std::get_if<Fault>(&end); }
};

// Names as OpenAI writes them ("tool_calls") and as logs and tests show them ("too_large").
std::string_view to_string(FinishReason reason) noexcept;
std::string_view to_string(Fault::Kind kind) noexcept;

}  // namespace confab::llm
