// What an export says that an answer took.
#pragma once

#include <string>

#include "base/json.hpp"

namespace confab::transfer {

// Only the members that Confab writes, so that it is small whatever the file says: every page of items repeats it.
// Empty: there are none.
std::string read_usage(const base::json::object& usage);

}  // namespace confab::transfer
