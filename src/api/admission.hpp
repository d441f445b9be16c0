// The one door: who asks, and may they. Every request of every carrier passes here, and nowhere else is decided about
// it.
#pragma once

#include "api/context.hpp"

namespace confab::api {

inline constexpr std::string_view kSessionCookie = "confab_session";
// Over TLS: browsers let nobody but this very server, over TLS, set a cookie of this name.
inline constexpr std::string_view kSecureSessionCookie = "__Host-confab_session";

inline std::string_view session_cookie_name(const web::Request& request) {
    return request.secure ? kSecureSessionCookie : kSessionCookie;
}

// Fills request.caller. Errors: unauthenticated, forbidden, rate_limited (begin_answer).
Task<base::Status> admit(Context& context, web::Request& request, const web::Route& route);

// The value of a cookie of this name; empty when there is none.
std::string_view cookie(const web::Request& request, std::string_view name);

}  // namespace confab::api
