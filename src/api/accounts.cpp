// /api/status and /api/auth/*: set-up, sign-in, sign-out, the password, one's own sessions.
#include "api/admission.hpp"
#include "api/body.hpp"
#include "api/routes.hpp"
#include "api/sharing.hpp"
#include "api/sign_up.hpp"
#include "api/user_json.hpp"

namespace confab::api {

namespace {

using web::Access;

// The ways in: {"password":true,"openid":{"name"} or null,"single_user":false}.
void render_sign_in(base::JsonWriter& out, const Context& context) {
    const SignInOptions& options = context.sign_in;
    out.key("sign_in");
    out.begin_object();
    out.member("password", options.passwords);
    out.key("openid");
    if (context.openid == nullptr) {
        out.value(nullptr);
    } else {
        out.begin_object();
        out.member("name", options.openid.name);
        out.end_object();
    }
    out.member("single_user", options.single_user);
    out.end_object();
}

base::Status check_passwords_on(const Context& context) {
    if (context.sign_in.passwords) {
        return {};
    }
    return base::fail(
        base::Errc::forbidden, "Nobody signs in with a password here (--password-login off).", "password_login_off"
    );
}

Task<Result<Reply>> get_status(Context& context, Exchange& /*exchange*/) {
    CO_TRY(const bool required, co_await context.accounts.setup_required());
    CO_TRY(const auto rules, co_await sign_up_rules(context));
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("version", context.version);
    out.member("setup_required", required);
    out.member("signup", sign_up_mode_name(rules.mode));
    render_sign_in(out, context);
    out.end_object();
    co_return web::json_reply(std::move(body));
}

Task<Result<Reply>> set_up(Context& context, Exchange& exchange) {
    web::Request& request = exchange.request();
    CO_TRY(const auto object, parse_body(request));
    const Fields fields(object);
    CO_TRY(auto token, fields.required_text("token"));
    auth::NewUser admin;
    CO_TRY(admin.email, fields.required_text("email"));
    CO_TRY(admin.password, fields.required_text("password"));
    CO_TRY(auto name, fields.text("name"));
    admin.name = name.value_or(std::string());
    std::string agent(request.header("user-agent"));
    CO_TRY(
        const auto signed_in, co_await context.accounts.set_up(std::move(token), std::move(admin), std::move(agent))
    );
    request.audit.actor_no = static_cast<std::int64_t>(signed_in.user.no);
    co_return signed_in_reply(exchange.request(), signed_in.user, signed_in.token, 201);
}

Task<Result<Reply>> sign_in(Context& context, Exchange& exchange) {
    CO_TRY_VOID(check_passwords_on(context));
    web::Request& request = exchange.request();
    CO_TRY(const auto object, parse_body(request));
    const Fields fields(object);
    CO_TRY(auto email, fields.required_text("email"));
    CO_TRY(auto password, fields.required_text("password"));
    std::string agent(request.header("user-agent"));
    std::string remote = throttled_address(request);
    request.audit.tried = email;
    CO_TRY(
        const auto signed_in,
        co_await context.accounts.sign_in(std::move(email), std::move(password), std::move(agent), std::move(remote))
    );
    request.audit.actor_no = static_cast<std::int64_t>(signed_in.user.no);
    co_return signed_in_reply(request, signed_in.user, signed_in.token, 200);
}

Task<Result<Reply>> sign_out(Context& context, Exchange& exchange) {
    if (const auto session = session_of(exchange.request())) {
        CO_TRY_VOID(co_await context.accounts.sign_out(user_of(exchange), *session));
    }
    Reply reply = web::json_reply("{}");
    reply.headers.push_back({"set-cookie", ended_session_cookie(exchange.request())});
    co_return reply;
}

Task<Result<Reply>> get_me(Context& context, Exchange& exchange) {
    CO_TRY(const auto user, co_await context.store.find_user(user_of(exchange)));
    CO_TRY(const bool sharing, co_await sharing_allowed(context));
    std::string body = render_user_reply(user);
    const bool session = exchange.request().caller.carrier == web::Carrier::cookie;
    body.pop_back();  // the closing brace: what the person may do follows
    body += session ? R"(,"signed_in_by":"session")" : R"(,"signed_in_by":"surroundings")";
    body += sharing ? R"(,"sharing":true})" : R"(,"sharing":false})";
    co_return web::json_reply(std::move(body));
}

Task<Result<Reply>> change_password(Context& context, Exchange& exchange) {
    CO_TRY_VOID(check_passwords_on(context));
    CO_TRY(const auto object, parse_body(exchange.request()));
    const Fields fields(object);
    CO_TRY(auto current, fields.required_text("current_password"));
    CO_TRY(auto next, fields.required_text("new_password"));
    CO_TRY(auto user, co_await context.store.find_user(user_of(exchange)));
    std::string agent(exchange.request().header("user-agent"));
    CO_TRY(
        const auto signed_in,
        co_await context.accounts.change_password(std::move(user), std::move(current), std::move(next), std::move(agent))
    );
    co_return signed_in_reply(exchange.request(), signed_in.user, signed_in.token, 200);
}

Task<Result<Reply>> list_sessions(Context& context, Exchange& exchange) {
    CO_TRY(const auto sessions, co_await context.store.list_sessions(user_of(exchange)));
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "list");
    out.key("data");
    out.begin_array();
    for (const store::Session& session : sessions) {
        const std::string id = session.id.str();
        out.begin_object();
        out.member("id", id);
        out.member("created_at", session.created_at);
        out.member("last_seen_at", session.last_seen_at);
        out.member("user_agent", session.user_agent);
        out.member("current", id == exchange.request().caller.session_id);
        out.end_object();
    }
    out.end_array();
    out.end_object();
    co_return web::json_reply(std::move(body));
}

Task<Result<Reply>> end_session(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::SessionId>(exchange.request(), 0, "Session"));
    CO_TRY_VOID(co_await context.accounts.sign_out(user_of(exchange), id));
    co_return web::json_reply("{}");
}

}  // namespace

void add_account_routes(Routes& routes) {
    routes.add("GET", "/api/status", Access::open, get_status);
    routes.add_audited("POST", "/api/auth/setup", Access::open, set_up, "setup").load = web::Load::sign_in;
    routes.add_audited("POST", "/api/auth/login", Access::open, sign_in, "sign_in").load = web::Load::sign_in;
    routes.add_audited("POST", "/api/auth/logout", Access::cookie_user, sign_out, "sign_out").load = web::Load::essential;
    routes.add("GET", "/api/auth/me", Access::cookie_user, get_me);
    routes.add_audited("POST", "/api/auth/password", Access::cookie_user, change_password, "password_changed").load = web::Load::sign_in;
    routes.add("GET", "/api/auth/sessions", Access::cookie_user, list_sessions);
    routes.add_audited("DELETE", "/api/auth/sessions/{id}", Access::cookie_user, end_session, "session_ended");
}

}  // namespace confab::api
