// /api/auth/signup: strangers become people. /api/admin/invitations: the links by which they may.
#include "api/sign_up.hpp"

#include "api/body.hpp"
#include "api/routes.hpp"
#include "api/user_json.hpp"
#include "web/address_share.hpp"

namespace confab::api {

namespace {

using auth::SignUpMode;
using base::Errc;
using web::Access;

constexpr std::string_view kSignUpPath = "/signup#";  // the token follows: a fragment is not sent to any server
constexpr std::size_t kTokenBytesMax = 256;           // longer ones are not ours

Task<Result<Reply>> sign_up(Context& context, Exchange& exchange) {
    web::Request& request = exchange.request();
    CO_TRY(const auto object, parse_body(request));
    const Fields fields(object);
    auth::SignUp wanted;
    CO_TRY(wanted.user.email, fields.required_text("email"));
    CO_TRY(wanted.user.password, fields.required_text("password"));
    CO_TRY(auto name, fields.text("name"));
    wanted.user.name = name.value_or(std::string());
    CO_TRY(auto invitation, fields.text("invitation", kTokenBytesMax));
    wanted.invitation = invitation.value_or(std::string());
    wanted.user_agent = request.header("user-agent");
    wanted.remote = throttled_address(request);
    request.audit.tried = wanted.user.email;
    request.audit.detail = wanted.invitation.empty() ? "without an invitation" : "by invitation";
    CO_TRY(const auto rules, co_await sign_up_rules(context));
    CO_TRY(const auto signed_up, co_await context.accounts.sign_up(rules, std::move(wanted)));
    request.audit.actor_no = static_cast<std::int64_t>(signed_up.user.no);
    co_return signed_in_reply(request, signed_up.user, signed_up.token, 201);
}

// ---- invitations ----

std::string_view invitation_status(const store::Invitation& invitation) {
    if (invitation.uses >= invitation.uses_max) {
        return "used";
    }
    return invitation.expires_at <= base::unix_now() ? "expired" : "open";
}

// The token is known only to the call that made it.
void render_invitation(std::string& body, const store::Invitation& invitation, std::string_view token = {}) {
    base::JsonWriter out(body);
    out.begin_object();
    out.member("id", invitation.id.str());
    out.member("object", "invitation");
    out.member("note", invitation.note);
    out.member("role", auth::role_name(invitation.role));
    out.member("status", invitation_status(invitation));
    out.member("uses", invitation.uses);
    out.member("uses_max", invitation.uses_max);
    out.member("created_at", invitation.created_at);
    out.member("expires_at", invitation.expires_at);
    if (!token.empty()) {
        out.member("token", token);
        out.member("path", std::string(kSignUpPath) + std::string(token));
    }
    out.end_object();
}

Task<Result<Reply>> list_invitations(Context& context, Exchange& exchange) {
    CO_TRY(const auto page, parse_page<store::InvitationId>(exchange.request()));
    CO_TRY(const auto found, co_await context.store.list_invitations(page));
    const auto render = [](std::string& out, const store::Invitation& row) { render_invitation(out, row); };
    co_return web::json_reply(render_list(found, render));
}

// A link that nobody could use is not handed out.
Task<Result<Reply>> create_invitation(Context& context, Exchange& exchange) {
    CO_TRY(const auto object, parse_body(exchange.request()));
    const Fields fields(object);
    auth::NewInvitation wanted;
    CO_TRY(auto note, fields.text("note"));
    wanted.note = note.value_or(std::string());
    CO_TRY(const auto role, fields.text("role"));
    if (role) {
        if (*role != "member" && *role != "pending") {
            co_return base::invalid("role", "role is 'member' or 'pending'.");
        }
        wanted.role = *role == "member" ? store::Role::member : store::Role::pending;
    }
    CO_TRY(const auto uses, fields.integer("uses_max", 1, store::kInvitationUsesMax));
    wanted.uses_max = uses.value_or(wanted.uses_max);
    CO_TRY(const auto hours, fields.integer("expires_in_hours", 1, store::kInvitationHoursMax));
    wanted.hours = hours.value_or(wanted.hours);
    CO_TRY(const auto rules, co_await sign_up_rules(context));
    if (rules.mode == SignUpMode::off) {
        co_return base::fail(
            Errc::conflict,
            "Nobody could use the invitation: signing up is off. Set 'signup' to 'invitation' in the settings first.",
            "signup_off"
        );
    }
    CO_TRY(const auto made, co_await context.accounts.invite(user_of(exchange), std::move(wanted)));
    std::string body;
    render_invitation(body, made.first, made.second);
    exchange.request().audit.object = made.first.id.str();
    exchange.request().audit.detail = auth::role_name(made.first.role);
    co_return web::json_reply(std::move(body), 201);
}

Task<Result<Reply>> delete_invitation(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::InvitationId>(exchange.request(), 0, "Invitation"));
    CO_TRY_VOID(co_await context.store.delete_invitation(id));
    co_return deleted_reply(id.str());
}

}  // namespace

std::string_view sign_up_mode_name(SignUpMode mode) {
    switch (mode) {
        case SignUpMode::off: return "off";
        case SignUpMode::invitation: return "invitation";
        case SignUpMode::open: return "open";
    }
    return "off";
}

std::optional<SignUpMode> parse_sign_up_mode(std::string_view name) {
    for (const SignUpMode mode : {SignUpMode::off, SignUpMode::invitation, SignUpMode::open}) {
        if (name == sign_up_mode_name(mode)) {
            return mode;
        }
    }
    return std::nullopt;
}

Task<Result<auth::SignUpRules>> sign_up_rules(Context& context) {
    if (!context.sign_in.passwords) {
        co_return auth::SignUpRules{};  // off: one signs up with a password
    }
    CO_TRY(const auto mode, co_await context.store.get_setting(std::string(store::kSettingSignUp)));
    CO_TRY(const auto role, co_await context.store.get_setting(std::string(store::kSettingSignUpRole)));
    auth::SignUpRules rules;
    rules.mode = parse_sign_up_mode(mode.value_or(std::string())).value_or(SignUpMode::off);
    rules.role = role == "member" ? store::Role::member : store::Role::pending;
    co_return rules;
}

std::string throttled_address(const web::Request& request) {
    return request.remote_is_loopback ? std::string() : web::customer_of(request.remote);
}

void add_sign_up_routes(Routes& routes) {
    routes.add_audited("POST", "/api/auth/signup", Access::open, sign_up, "sign_up").load = web::Load::sign_in;
    routes.add("GET", "/api/admin/invitations", Access::admin, list_invitations);
    routes.add_audited("POST", "/api/admin/invitations", Access::admin, create_invitation, "invitation_made");
    routes.add_audited("DELETE", "/api/admin/invitations/{id}", Access::admin, delete_invitation, "invitation_withdrawn");
}

}  // namespace confab::api
