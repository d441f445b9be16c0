// What is searched for, and what is found.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/rows.hpp"

namespace confab::store {

enum class SearchOrder : std::uint8_t { newest, relevance };

// One word, or a phrase of several.
struct SearchTerm {
    std::string text;
    bool is_prefix = false;  // the word that is being typed: also what begins with it
};

// A query as understood. Without terms nothing is found.
struct SearchQuery {
    std::vector<SearchTerm> terms;     // all of them
    std::vector<SearchTerm> excluded;  // none of them
    bool titles_only = false;
    std::optional<ItemRole> role;
    std::string model;  // a part of its name, lower case; empty: any
    std::optional<UnixSeconds> from;
    std::optional<UnixSeconds> until;  // exclusive
};

// A stretch of text around what was found.
struct SnippetPart {
    std::string text;
    bool hit = false;
};

struct SearchHit {
    ConversationId conversation;
    std::string title;           // of the conversation
    std::optional<ItemId> item;  // nothing: the title was found
    ItemRole role = ItemRole::user;
    std::string model;
    UnixSeconds created_at = 0;
    std::vector<SnippetPart> snippet;
    double score = 0;
};

struct SearchRequest {
    SearchQuery query;
    SearchOrder order = SearchOrder::newest;
    std::size_t limit = 20;
    std::string cursor;  // of the page before; empty: from the start
};

struct SearchPage {
    std::vector<SearchHit> hits;
    std::string next;          // cursor; empty: no more
    std::int64_t pending = 0;  // messages of this user that are not in the index yet, at most kPendingShownMax
};

inline constexpr std::int64_t kPendingShownMax = 10'000;

}  // namespace confab::store
