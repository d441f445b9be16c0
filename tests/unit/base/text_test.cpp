#include "base/text.hpp"

#include <gtest/gtest.h>

namespace confab::base {
namespace {

TEST(Utf8, measures_well_formed_sequences) {
    EXPECT_EQ(utf8_sequence_length("a"), 1U);
    EXPECT_EQ(utf8_sequence_length("é"), 2U);
    EXPECT_EQ(utf8_sequence_length("漢x"), 3U);
    EXPECT_EQ(utf8_sequence_length("😀"), 4U);
    EXPECT_EQ(utf8_sequence_length(std::string_view("\0", 1)), 1U);
    EXPECT_EQ(utf8_sequence_length("\xF4\x8F\xBF\xBF"), 4U);
}

TEST(Utf8, refuses_what_rfc_3629_forbids) {
    for (const std::string_view wrong : {
             "",
             "\x80",
             "\xC0\xAF",
             "\xC1\x80",
             "\xE0\x9F\xBF",
             "\xED\xA0\x80",
             "\xED\xBF\xBF",
             "\xF0\x8F\xBF\xBF",
             "\xF4\x90\x80\x80",
             "\xF5\x80\x80\x80",
             "\xFF",
             "\xC3",
             "\xE6\xBC",
             "\xF0\x9F\x98",
             "\xC3(",
             "\xE6(\xBC",
         }) {
        EXPECT_EQ(utf8_sequence_length(wrong), 0U);
    }
    EXPECT_TRUE(is_utf8(""));
    EXPECT_TRUE(is_utf8("aé漢😀"));
    EXPECT_FALSE(is_utf8("aé\xED\xA0\x80"));
}

// Every code point, encoded by the rule of the standard, is one sequence; every surrogate is none.
TEST(Utf8, agrees_with_the_standard_on_all_code_points) {
    for (unsigned code = 0x800; code <= 0x10FFFF; ++code) {
        std::string text;
        if (code < 0x10000) {
            text += static_cast<char>(0xE0 | code >> 12);
        } else {
            text += static_cast<char>(0xF0 | code >> 18);
            text += static_cast<char>(0x80 | (code >> 12 & 0x3F));
        }
        text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
        text += static_cast<char>(0x80 | (code & 0x3F));
        const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
        ASSERT_EQ(utf8_sequence_length(text), surrogate ? 0U : text.size()) << code;
    }
}

TEST(Utf8, prefix_ends_on_a_character_boundary) {
    const std::string_view text = "aé漢😀";
    const std::size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (std::size_t most = 0; most <= text.size() + 1; ++most) {
        EXPECT_EQ(utf8_prefix(text, most).size(), ends[most]) << most;
    }
    EXPECT_EQ(utf8_prefix("", 0), "");
}

TEST(Utf8, knows_an_incomplete_tail) {
    EXPECT_EQ(utf8_incomplete_tail(""), 0U);
    EXPECT_EQ(utf8_incomplete_tail("abc"), 0U);
    EXPECT_EQ(utf8_incomplete_tail("a\xC3"), 1U);
    EXPECT_EQ(utf8_incomplete_tail("a\xE6\xBC"), 2U);
    EXPECT_EQ(utf8_incomplete_tail("a\xF0\x9F\x98"), 3U);
    EXPECT_EQ(utf8_incomplete_tail("aé漢😀"), 0U);
    EXPECT_EQ(utf8_incomplete_tail("a\x80\x80\x80"), 0U);
    EXPECT_EQ(utf8_incomplete_tail("a\xFF"), 0U);
}

TEST(Text, trims_and_compares) {
    EXPECT_EQ(trim(" \t\r\n a b \f\v"), "a b");
    EXPECT_EQ(trim(" \n "), "");
    EXPECT_EQ(trim(""), "");
    EXPECT_EQ(ascii_lower("AbZ\xC3\x84[@"), "abz\xC3\x84[@");
    EXPECT_TRUE(iequals("Content-TYPE", "content-type"));
    EXPECT_FALSE(iequals("a", "ab"));
    EXPECT_FALSE(iequals("[", "{"));
    EXPECT_FALSE(iequals("@", "`"));
}

}  // namespace
}  // namespace confab::base
