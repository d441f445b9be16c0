#include "llm/context_error.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "base/text.hpp"

namespace confab::llm {

namespace {

// OpenAI and vLLM, llama.cpp, LM Studio, Anthropic, Gemini, Mistral, TGI.
constexpr std::array<std::string_view, 10> kWords{
    "maximum context length",
    "exceeds the available context size",
    "exceeds the context window",
    "context window exceeded",
    "context length exceeded",
    "greater than the context length",
    "prompt is too long",
    "exceeds the maximum number of tokens",
    "too large for model with",
    "exceed context size",
};

// What stands right before the number of tokens that the window has.
constexpr std::array<std::string_view, 7> kBeforeNumber{
    "maximum context length is ",
    "maximum context length of ",
    "available context size (",
    "context length of only ",
    "context length is only ",
    "context window of ",
    "number of tokens allowed (",
};

constexpr std::int64_t kWindowMin = 256;
constexpr std::int64_t kWindowMax = 100'000'000;

}  // namespace

bool says_context_exceeded(std::string_view code, std::string_view message) {
    if (code == "context_length_exceeded" || code == "exceed_context_size_error") {
        return true;
    }
    const std::string words = base::ascii_lower(message);
    return std::ranges::any_of(kWords, [&](std::string_view one) { return words.find(one) != std::string::npos; });
}

std::int64_t named_window(std::string_view message) {
    const std::string words = base::ascii_lower(message);
    for (const std::string_view before : kBeforeNumber) {
        const auto found = words.find(before);
        if (found == std::string::npos) {
            continue;
        }
        std::int64_t tokens = 0;
        const char* begin = words.data() + found + before.size();
        const auto [end, ec] = std::from_chars(begin, words.data() + words.size(), tokens);
        if (ec == std::errc{} && tokens >= kWindowMin && tokens <= kWindowMax) {
            return tokens;
        }
    }
    return 0;
}

}  // namespace confab::llm
