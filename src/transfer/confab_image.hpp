// The images that an exported message or output names.
#pragma once

#include "base/error.hpp"
#include "base/json.hpp"

namespace confab::transfer {

// Takes away what the API would not take of an image: an address that is not https or has more than 8 KiB, a malformed
// file_id, an unknown detail. Error: invalid_item, when nothing is left to show.
base::Status check_images(base::json::array& parts);

}  // namespace confab::transfer
