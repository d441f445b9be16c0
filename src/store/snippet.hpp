// The stretch of a text around the first thing that was found in it, with what was found marked.
#pragma once

#include <string_view>
#include <vector>

#include "store/search_rows.hpp"

namespace confab::store {

inline constexpr std::size_t kSnippetBytesMax = 240;

// Of a text where nothing is found (it may stand behind what was read) the beginning. Never cuts a character.
std::vector<SnippetPart> make_snippet(std::string_view text, const SearchQuery& query);

// How well a text answers the query: how often the words stand in it, and whether whole; 0 when none does.
double relevance(std::string_view text, const SearchQuery& query);

}  // namespace confab::store
