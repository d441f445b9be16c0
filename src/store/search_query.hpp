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

// The expression for FTS5; every word is quoted, so nothing in it is an operator. Empty when there are no terms.
std::string match_expression(const SearchQuery& query);

}  // namespace confab::store
