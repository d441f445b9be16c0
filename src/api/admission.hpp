// The one door: who asks, and may they. Every request of every carrier passes here, and nowhere else is decided about
// it.
#pragma once

#include "api/context.hpp"

namespace confab::api {

inline constexpr std::string_view kSessionCookie = "confab_session";

// Fills request.caller. Errors: unauthenticated, forbidden.
Task<base::Status> admit(Context& context, web::Request& request, const web::Route& route);

// The value of a cookie of this name; empty when there is none.
std::string_view cookie(const web::Request& request, std::string_view name);

}  // namespace confab::api
