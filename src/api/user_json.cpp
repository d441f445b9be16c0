#include "api/user_json.hpp"

#include "api/admission.hpp"
#include "auth/accounts.hpp"

namespace confab::api {

namespace {

constexpr std::int64_t kCookieMaxAge =
    400 * 24 * 3600;  // seconds, the most browsers keep; the server ends idle sessions sooner

// "Secure" over TLS only: without it the cookie would never come back.
std::string session_cookie(const web::Request& request, std::string_view token, std::int64_t max_age) {
    return std::string(session_cookie_name(request)) + "=" + std::string(token) +
           "; Path=/; HttpOnly; SameSite=Lax; Max-Age=" + std::to_string(max_age) + (request.secure ? "; Secure" : "");
}

}  // namespace

void render_user_members(base::JsonWriter& out, const store::User& user) {
    out.member("id", user.id.str());
    out.member("email", user.email);
    out.member("name", user.name);
    out.member("role", auth::role_name(user.role));
    out.member("created_at", user.created_at);
}

std::string render_user_reply(const store::User& user) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.key("user");
    out.begin_object();
    render_user_members(out, user);
    out.end_object();
    out.end_object();
    return body;
}

web::Reply signed_in_reply(const web::Request& request, const store::User& user, std::string_view token, unsigned status) {
    web::Reply reply = web::json_reply(render_user_reply(user), status);
    if (!token.empty()) {
        reply.headers.push_back({"set-cookie", new_session_cookie(request, token)});
    }
    return reply;
}

std::string new_session_cookie(const web::Request& request, std::string_view token) {
    return session_cookie(request, token, kCookieMaxAge);
}

std::string ended_session_cookie(const web::Request& request) {
    return session_cookie(request, "", 0);
}

web::Reply deleted_reply(std::string_view id) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("id", id);
    out.member("deleted", true);
    out.end_object();
    return web::json_reply(std::move(body));
}

std::optional<store::SessionId> session_of(const web::Request& request) {
    return store::SessionId::parse(request.caller.session_id);
}

}  // namespace confab::api
