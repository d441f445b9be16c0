#include "llm/utf8_joiner.hpp"

#include <gtest/gtest.h>

#include "base/text.hpp"

namespace confab::llm {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";

std::string join_all(std::initializer_list<std::string_view> pieces) {
    Utf8Joiner joiner;
    std::string scratch;
    std::string all;
    for (const std::string_view piece : pieces) {
        const std::string_view joined = joiner.join(piece, scratch);
        EXPECT_TRUE(base::is_utf8(joined));
        all += joined;
    }
    return all.append(joiner.finish());
}

TEST(Utf8Joiner, passes_valid_text_through_without_a_copy) {
    Utf8Joiner joiner;
    std::string scratch;
    const std::string_view text = "Köln 😀";
    EXPECT_EQ(joiner.join(text, scratch).data(), text.data());
    EXPECT_TRUE(joiner.finish().empty());
}

TEST(Utf8Joiner, joins_a_character_cut_at_any_byte) {
    const std::string_view text = "aé漢😀z";
    for (std::size_t first = 0; first <= text.size(); ++first) {
        for (std::size_t second = first; second <= text.size(); ++second) {
            EXPECT_EQ(join_all({text.substr(0, first), text.substr(first, second - first), text.substr(second)}), text);
        }
    }
}

TEST(Utf8Joiner, replaces_what_cannot_become_a_character) {
    EXPECT_EQ(join_all({"a\xFF", "b"}), std::string("a") + kReplacement + "b");
    EXPECT_EQ(join_all({"a\xC3", "b"}), std::string("a") + kReplacement + "b");
    EXPECT_EQ(join_all({"a\xE6\xBC"}), std::string("a") + kReplacement);
    EXPECT_EQ(join_all({"\x80"}), kReplacement);
    EXPECT_EQ(join_all({"\xC0\xAF"}), std::string(kReplacement) + kReplacement);
}

TEST(Utf8Joiner, joins_the_halves_of_a_surrogate_pair_cut_at_any_byte) {
    const std::string_view pair = "\xED\xA0\xBD\xED\xB8\x80";  // U+D83D U+DE00 as WTF-8
    for (std::size_t cut = 0; cut <= pair.size(); ++cut) {
        EXPECT_EQ(join_all({pair.substr(0, cut), pair.substr(cut)}), "😀") << cut;
    }
}

TEST(Utf8Joiner, replaces_a_lone_surrogate_by_one_sign) {
    EXPECT_EQ(join_all({"\xED\xA0\xBD", "x"}), std::string(kReplacement) + "x");
    EXPECT_EQ(join_all({"\xED\xB8\x80x"}), std::string(kReplacement) + "x");
    EXPECT_EQ(join_all({"\xED\xA0\xBD\xED\xA0\xBD\xED\xB8\x80"}), std::string(kReplacement) + "😀");
    EXPECT_EQ(join_all({"\xED\xA0\xBD"}), kReplacement);
}

TEST(Utf8Joiner, valid_utf8_repairs_a_single_piece) {
    EXPECT_EQ(valid_utf8("plain"), "plain");
    EXPECT_EQ(valid_utf8("cut \xF0\x9F"), std::string("cut ") + kReplacement);
}

}  // namespace
}  // namespace confab::llm
