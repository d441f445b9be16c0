// People as the API shows them, and the cookie that signs one in.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"
#include "store/rows.hpp"
#include "web/exchange.hpp"

namespace confab::api {

// {"id","email","name","role","created_at"} as members of an object that was begun.
void render_user_members(base::JsonWriter& out, const store::User& user);

// {"user":{...}}
std::string render_user_reply(const store::User& user);

// The same, with the session's cookie unless `token` is empty.
web::Reply signed_in_reply(const web::Request& request, const store::User& user, std::string_view token, unsigned status);

// A set-cookie header's value that begins the session.
std::string new_session_cookie(const web::Request& request, std::string_view token);

// A set-cookie header's value that clears the session's cookie.
std::string ended_session_cookie(const web::Request& request);

// {"id","deleted":true}
web::Reply deleted_reply(std::string_view id);

std::optional<store::SessionId> session_of(const web::Request& request);

}  // namespace confab::api
