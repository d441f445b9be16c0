#include "llm/context_error.hpp"

#include <array>

#include <gtest/gtest.h>

#include "llm/token_estimate.hpp"

namespace confab::llm {
namespace {

struct Said {
    std::string_view code;
    std::string_view message;
    std::int64_t window = 0;
};

// As servers word it.
constexpr std::array kRefusals{
    Said{
        "context_length_exceeded",
        "This model's maximum context length is 4097 tokens. However, your messages resulted in 5000 tokens.",
        4'097},
    Said{
        "BadRequestError",
        "This model's maximum context length is 2048 tokens. However, you requested 3000 tokens (2900 in the messages, "
        "100 in the completion).",
        2'048},
    Said{"400", "request (5423 tokens) exceeds the available context size (4096 tokens), try increasing it", 4'096},
    Said{"exceed_context_size_error", "the request exceeds the available context size. try increasing it", 0},
    Said{"", "The number of tokens to keep from the initial prompt is greater than the context length.", 0},
    Said{"invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", 0},
    Said{"400", "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", 1'048'576},
    Said{
        "3051",
        "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
        0},
};

TEST(ContextError, KnowsHowServersSayIt) {
    for (const Said& said : kRefusals) {
        EXPECT_TRUE(says_context_exceeded(said.code, said.message)) << said.message;
        EXPECT_EQ(named_window(said.message), said.window) << said.message;
    }
}

TEST(ContextError, TakesNothingElseForIt) {
    EXPECT_FALSE(says_context_exceeded("", ""));
    EXPECT_FALSE(says_context_exceeded("rate_limit_exceeded", "Rate limit reached: 30000 tokens per minute"));
    EXPECT_FALSE(says_context_exceeded("invalid_value", "max_tokens is too large: 99999"));
    EXPECT_EQ(named_window("maximum context length is unknown"), 0);
    EXPECT_EQ(named_window("maximum context length is 3 tokens"), 0);
    EXPECT_EQ(named_window("maximum context length is 99999999999999999999999"), 0);
}

TEST(TokenFamily, IsKnownByTheModelsName) {
    EXPECT_EQ(token_family("gpt-4o-mini"), TokenFamily::o200k);
    EXPECT_EQ(token_family("gpt-4-turbo"), TokenFamily::cl100k);
    EXPECT_EQ(token_family("openai/gpt-5"), TokenFamily::o200k);
    EXPECT_EQ(token_family("meta-llama/Llama-3.1-8B-Instruct"), TokenFamily::llama3);
    EXPECT_EQ(token_family("llama3.2:latest"), TokenFamily::llama3);
    EXPECT_EQ(token_family("TheBloke/Llama-2-7B-GGUF"), TokenFamily::small_vocabulary);
    EXPECT_EQ(token_family("Qwen/Qwen2.5-0.5B"), TokenFamily::qwen);
    EXPECT_EQ(token_family("gemma3:4b"), TokenFamily::gemma);
    EXPECT_EQ(token_family("something"), TokenFamily::neutral);
    EXPECT_EQ(token_family(""), TokenFamily::neutral);
}

TEST(TokenFamily, EstimatesScriptsEachInItsWay) {
    constexpr std::string_view kEnglish = "The quick brown fox jumps over the lazy dog";
    EXPECT_EQ(estimate_tokens(kEnglish, TokenFamily::o200k), estimate_tokens(kEnglish));
    EXPECT_LT(estimate_tokens("漢字かな交じり文です", TokenFamily::qwen), 10);
    EXPECT_GT(estimate_tokens("漢字かな交じり文です", TokenFamily::small_vocabulary), 15);
    EXPECT_LT(
        estimate_tokens("Привет, как дела", TokenFamily::o200k),
        estimate_tokens("Привет, как дела", TokenFamily::cl100k)
    );
    EXPECT_GT(estimate_tokens("1234567890", TokenFamily::qwen), estimate_tokens("1234567890", TokenFamily::llama3));
}

}  // namespace
}  // namespace confab::llm
