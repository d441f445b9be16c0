#include "llm/token_estimate.hpp"

#include <string>

#include <gtest/gtest.h>

namespace confab::llm {
namespace {

TEST(TokenEstimate, is_about_four_characters_a_token_for_english) {
    const std::string_view text =
        "The quick brown fox jumps over the lazy dog. It was a bright cold day in April, and the clocks were striking "
        "thirteen; nobody in the street looked up from what they were doing.";
    const auto tokens = estimate_tokens(text);
    EXPECT_GT(tokens, static_cast<std::int64_t>(text.size()) / 5);
    EXPECT_LT(tokens, static_cast<std::int64_t>(text.size()) / 3);
}

TEST(TokenEstimate, is_about_one_a_character_for_cjk_and_two_for_emoji) {
    EXPECT_EQ(estimate_tokens("漢字かな交じり文"), 8);
    EXPECT_EQ(estimate_tokens("😀😀"), 4);
    EXPECT_EQ(estimate_tokens("Привет"), 3);
}

TEST(TokenEstimate, counts_code_denser_than_prose) {
    EXPECT_GT(
        estimate_tokens("if (a[i] != b[j]) { return {0, 1}; }"),
        estimate_tokens("and the clocks were striking thirteen")
    );
}

TEST(TokenEstimate, is_zero_only_for_nothing) {
    EXPECT_EQ(estimate_tokens(""), 0);
    EXPECT_EQ(estimate_tokens("a"), 1);
    EXPECT_EQ(estimate_tokens("\x80"), 1);
}

TEST(TokenEstimate, may_be_taken_in_pieces) {
    const std::string text(10'000, 'x');
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < text.size(); i += 1000) {
        sum += estimate_tokens(std::string_view(text).substr(i, 1000));
    }
    EXPECT_LE(sum - estimate_tokens(text), 10);
    EXPECT_GE(sum, estimate_tokens(text));
}

}  // namespace
}  // namespace confab::llm
