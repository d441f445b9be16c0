// Ids that follow from other ids, so that doing something twice makes the same rows.
#pragma once

#include <initializer_list>
#include <string_view>

#include "base/ids.hpp"

namespace confab::store {

// A UUIDv8 (RFC 9562): the first bits of the SHA-256 of `parts`, each with its length before it. Its type bits are 0,
// which makes an item's id that of a message.
base::IdBytes derived_id(std::initializer_list<std::string_view> parts);

// The same with an item's type in it.
base::ItemId derived_item_id(base::ItemType type, std::initializer_list<std::string_view> parts);

inline std::string_view view_of(const base::IdBytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace confab::store
