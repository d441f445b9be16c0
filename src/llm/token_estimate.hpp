// How many tokens a text has, roughly, without knowing the model's tokenizer and without loading one.
//
// Sources: OpenAI's rule of thumb "one token is about 4 characters of English" (help article 4936856) and its
// cookbook's 3 to 4 tokens of framing for each chat message; for CJK about one token per character (between 0.6 with
// o200k and 2 with older vocabularies). Expected error: English prose within about 20 %, code and JSON within 35 %,
// other scripts within a factor of two. Therefore the prompt planner keeps a margin, and what an upstream reports in
// `usage` corrects the estimate (chat/token_calibration.hpp).
//
// Stored items are counted by the neutral table, so that their totals are good for every model. How a family of models
// differs on the text at hand is a ratio of two estimates.
#pragma once

#include <cstdint>
#include <string_view>

namespace confab::llm {

inline constexpr std::int64_t kMessageTokens = 4;  // framing of one message: role and separators
inline constexpr std::int64_t kImageTokens =
    1105;  // OpenAI's price of one large image at high detail, tiles of 170 plus 85

// Vocabularies that cut texts alike. `neutral`: unknown, between all of them.
enum class TokenFamily : std::uint8_t { neutral, o200k, cl100k, llama3, qwen, gemma, small_vocabulary };

// By the model's name, with or without the publisher before it.
TokenFamily token_family(std::string_view model);

// Tokens of `text`, at least 1 unless it is empty. Additive within one token, so a long text may be estimated in
// pieces. O(bytes), a table lookup for each.
std::int64_t estimate_tokens(std::string_view text) noexcept;
std::int64_t estimate_tokens(std::string_view text, TokenFamily family) noexcept;

}  // namespace confab::llm
