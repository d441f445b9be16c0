// The words of a search index that begin as the word that is being typed does.
//
// FTS5 answers a prefix by reading the whole lists of all words that begin with it, everybody's, before the first hit: the
// longer the index, the longer it takes. Of whole words it reads only what is shown. So the words are looked up first, in a vocabulary of ours.
#pragma once

#include <set>
#include <string>

#include "store/search_rows.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

// Different words that a beginning stands for, besides itself; the first in order. More are found when more is typed. Each costs a
// place in the index, so a beginning that says little stands for few; a CJK character has three bytes and says much.
inline constexpr std::size_t kPrefixWordsMax = 50;
inline constexpr std::size_t kShortPrefixBytes = 2;
inline constexpr std::size_t kShortPrefixWordsMax = 5;

inline constexpr std::size_t kSweptWords = 200;  // in one step of a purge

// The expression for FTS5; every word is quoted, so nothing in it is an operator. The query has terms.
Result<std::string> match_expression(Connection& db, const SearchQuery& query);

// Adds to the vocabulary what is being indexed.
Status keep_words(Connection& db, const std::set<std::string>& words);

// The next kSweptWords of the vocabulary: those that are in no index any more go. True: there are more.
Result<bool> sweep_words(Connection& db);

}  // namespace confab::store::sqlite
