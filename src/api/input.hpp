// Input items of the Responses and Conversations APIs -> items of the store.
#pragma once

#include <vector>

#include "api/body.hpp"

namespace confab::api {

inline constexpr std::size_t kItemsPerCallMax = 20;   // POST /v1/conversations/{id}/items, OpenAI's own limit
inline constexpr std::size_t kInputItemsMax = 2'000;  // in one POST /v1/responses
inline constexpr std::size_t kItemTextBytesMax = 10ULL * 1024 * 1024;

// `input` as a string (one user message) or an array of items. Errors name the item: input[3].content.
base::Result<std::vector<store::NewItem>> parse_input(
    const json::value& input,
    std::string_view param,
    std::size_t items_max
);

}  // namespace confab::api
