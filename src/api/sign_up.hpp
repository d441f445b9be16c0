// How strangers may sign up, as the administrator has set it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/context.hpp"

namespace confab::api {

// Read anew for each request: a change is in force at once.
Task<Result<auth::SignUpRules>> sign_up_rules(Context& context);

std::string_view sign_up_mode_name(auth::SignUpMode mode);  // "off", "invitation", "open"
std::optional<auth::SignUpMode> parse_sign_up_mode(std::string_view name);

// By which the throttle counts tries. Empty behind a proxy on this machine: everybody would have its address.
std::string throttled_address(const web::Request& request);

}  // namespace confab::api
