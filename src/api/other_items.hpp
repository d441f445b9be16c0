// Input items that are no messages -> items of the store.
#pragma once

#include "api/body.hpp"
#include "store/rows.hpp"

namespace confab::api {

inline constexpr std::size_t kCallIdBytesMax = 64;  // OpenAI's own limit

// A function_call, function_call_output, reasoning, or another type of OpenAI's, which is kept as it came. `param` is
// the item's name in errors: input[3].
base::Result<store::NewItem> parse_other_item(
    std::string_view type,
    const json::object& item,
    const std::string& param
);

// The type of an item that is given by its id alone: item_reference, or none at all.
bool is_reference(const json::object& item);

// The id of such an item. One that cannot be an id is as unknown as any other.
base::Result<store::ItemId> parse_reference(const json::object& item, const std::string& param);

// What `param` refers to does not exist.
std::unexpected<base::Error> no_such_reference(std::string_view id, const std::string& param);

}  // namespace confab::api
