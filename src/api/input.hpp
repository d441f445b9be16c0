// Input items of the Responses and Conversations APIs -> items of the store.
#pragma once

#include <vector>

#include "api/body.hpp"
#include "api/context.hpp"

namespace confab::api {

inline constexpr std::size_t kItemsPerCallMax = 20;   // POST /v1/conversations/{id}/items, OpenAI's own limit
inline constexpr std::size_t kInputItemsMax = 2'000;  // in one POST /v1/responses
inline constexpr std::size_t kItemTextBytesMax = 10ULL * 1024 * 1024;

// Of the items that one request refers to. What is sent with a request is bounded by its body.
inline constexpr std::size_t kReferredBytesMax = 8ULL * 1024 * 1024;

// An item given by the id of a stored one.
struct ItemReference {
    std::size_t index = 0;  // in Input::items, where its copy goes
    store::ItemId id;
    std::string param;  // of the id: input[3].id
};

struct Input {
    std::vector<store::NewItem> items;
    std::vector<ItemReference> references;  // in their order; until they are resolved these items are empty
    meter::Lease lease;                     // of the copies that took their places
};

// `input` as a string (one user message) or an array of items. Errors name the item: input[3].content.
base::Result<Input> parse_input(const json::value& input, std::string_view param, std::size_t items_max);

// The items, with copies of what the references name; `input` keeps their lease and must outlive them. Errors:
// `invalid_request` (item_not_found) for one that is not the user's, `too_large` (items_too_large), `unavailable`
// (overloaded).
Task<Result<std::vector<store::NewItem>>> resolve_references(Context& context, store::UserNo user, Input& input);

// The parts of a content: each a known one that is whole. Gives their estimated tokens.
base::Result<std::int64_t> check_parts(const json::array& parts, const std::string& param);

}  // namespace confab::api
