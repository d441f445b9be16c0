// Stored items as conversations and input lists show them.
#pragma once

#include <string>

#include "store/rows.hpp"

namespace confab::chat {

std::string_view to_string(store::ItemRole role);
std::string_view to_string(base::ItemType type);  // "item" for what is kept as it came

// Appends a stored item, with Confab's extra fields. Of a truncated one what can be told: the beginning of a text, else
// the members with empty contents.
void render_item(std::string& out, const store::Item& item);

}  // namespace confab::chat
