// Texts as the search index sees them: what of a message is searched, and how it is cut into words.
//
// SQLite's unicode61 takes a run of letters for one word, so Chinese, Japanese and Korean sentences would be single
// words. They are rewritten as overlapping pairs of characters, which a query is rewritten to as well.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "store/rows.hpp"

namespace confab::store {

inline constexpr std::size_t kIndexedBytesMax = 256 * 1024;  // of one message; what stands behind is not found

// The searchable text of a message's body: of a content array the texts of its parts, joined by line ends. Empty for
// what is not searched (images and the like). At most kIndexedBytesMax.
std::string searchable_text(BodyFormat format, std::string_view body);

// The text with its CJK runs as pairs of characters: "a中文字b" -> "a 中文 文字 字 b".
std::string index_words(std::string_view text);

// One character: how it compares, and how many bytes it has. Lower case, without accents for Latin letters.
struct Folded {
    char32_t character = 0;
    std::size_t bytes = 1;
};

Folded fold_at(std::string_view text, std::size_t at);

bool is_cjk(char32_t character);
bool is_word_character(char32_t character);

}  // namespace confab::store
