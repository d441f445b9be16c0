// What a person types -> a query. Any text is a query: what is not understood is a word like any other.
//
//   words all of which must occur, "quoted phrases", -excluded, in:title, from:me, from:assistant, model:NAME,
//   before:YYYY-MM-DD, after:YYYY-MM-DD
#pragma once

#include <string>
#include <string_view>

#include "store/search_rows.hpp"

namespace confab::store {

inline constexpr std::size_t kQueryBytesMax = 1'000;
inline constexpr std::size_t kQueryTermsMax = 16;  // what stands behind is ignored

SearchQuery parse_search_query(std::string_view text);

// A term as the index has it: words that follow one another, without quotation marks. Of the last one possibly only the
// beginning, which a single CJK character is of a pair.
struct IndexTerm {
    std::string words;
    bool is_prefix = false;
};

IndexTerm index_term(const SearchTerm& term);

}  // namespace confab::store
