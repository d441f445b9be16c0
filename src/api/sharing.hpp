// What sharing is for others: whether it is on.
#pragma once

#include "api/context.hpp"

namespace confab::api {

// On unless an administrator has turned it off.
Task<Result<bool>> sharing_allowed(Context& context);

}  // namespace confab::api
