// An item as Confab shows it -> a SourceMessage. What render_item (chat/item_json.hpp) makes of the stored result is
// what was read.
#pragma once

#include "base/json.hpp"
#include "transfer/source_model.hpp"

namespace confab::transfer {

// `item` is changed: what is kept of it is moved out. Error: `invalid_request` (invalid_item).
base::Result<SourceMessage> read_confab_item(base::json::object& item);

}  // namespace confab::transfer
