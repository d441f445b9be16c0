// What a model server says when it refuses: any of the shapes of rule 11 (api/upstream-quirks.md) -> one message, one
// code.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace confab::llm {

inline constexpr std::size_t kErrorMessageBytesMax = 2048;  // enough for people; longer ones repeat the prompt

struct ErrorBody {
    std::string message;  // valid UTF-8, one line, at most kErrorMessageBytesMax bytes, never empty
    std::string code;     // the server's own code as text, else its type, else empty
};

// The body of an answer with HTTP status >= 400, or of one that should have been a stream. Understands {error:{}},
// {error:"text"}, {detail:..}, {message:..}, an array of these, HTML and plain text. Each of `secrets` is replaced by
// "[redacted]", for some servers repeat the API key they refuse.
ErrorBody parse_error_body(unsigned status, std::string_view body, std::span<const std::string_view> secrets = {});

// The same of a parsed object; an empty message when the object names no error.
ErrorBody error_of(const base::json::object& object);

// Replaces each secret in `text` by "[redacted]". Longer secrets first, so that no rest of one stays.
void redact(std::string& text, std::span<const std::string_view> secrets);

// One line, valid UTF-8, without control characters, at most kErrorMessageBytesMax bytes.
std::string tidy_message(std::string_view text);

// True when an old server refused `stream_options`: the request is worth one more try without it (rule 13).
bool refuses_stream_options(unsigned status, const ErrorBody& error);

}  // namespace confab::llm
