// /api/admin/users: other people's accounts, for administrators.
#include "api/body.hpp"
#include "api/routes.hpp"
#include "api/user_json.hpp"
#include "auth/tokens.hpp"

namespace confab::api {

namespace {

using web::Access;

// `password` only when it was made here; it is shown this once.
void render_person(std::string& body, const store::User& user, std::string_view password = {}) {
    base::JsonWriter out(body);
    out.begin_object();
    render_user_members(out, user);
    out.key("suspended_at");
    if (user.suspended_at) {
        out.value(*user.suspended_at);
    } else {
        out.value(nullptr);
    }
    if (!password.empty()) {
        out.member("password", password);
    }
    out.end_object();
}

Reply person_reply(const store::User& user, unsigned status = 200, std::string_view password = {}) {
    std::string body;
    render_person(body, user, password);
    return web::json_reply(std::move(body), status);
}

Result<store::UserId> person_in_path(Exchange& exchange) {
    return parse_path_id<store::UserId>(exchange.request(), 0, "User");
}

Result<std::optional<store::Role>> parse_role_field(const Fields& fields) {
    TRY(const auto text, fields.text("role"));
    if (!text) {
        return std::nullopt;
    }
    const auto role = auth::parse_role(*text);
    if (!role) {
        return base::invalid("role", "role is 'admin', 'member' or 'pending'.");
    }
    return role;
}

// What the person has under way ends: answers are cancelled, connections closed. One's own request goes on.
Task<void> end_activity(Context& context, Exchange& exchange, store::UserNo user) {
    context.end_requests(static_cast<std::int64_t>(user), exchange.request().id);
    co_await context.directory.cancel_all_of(user);
}

// Whom something was done to, as the audit log tells it.
void note_person(Exchange& exchange, const store::User& user) {
    exchange.request().audit.object = user.id.str();
    exchange.request().audit.detail = user.email;
}

void note_change(Exchange& exchange, const store::User& user, const store::UserPatch& patch) {
    note_person(exchange, user);
    web::AuditNote& note = exchange.request().audit;
    if (patch.suspended) {
        note.kind = *patch.suspended ? "person_suspended" : "person_restored";
    }
    if (patch.role) {
        note.detail += " role=" + std::string(auth::role_name(*patch.role));
    }
    if (patch.name) {
        note.detail += " name";
    }
}

Task<Result<Reply>> list_people(Context& context, Exchange& exchange) {
    CO_TRY(const auto page, parse_page<store::UserId>(exchange.request()));
    CO_TRY(const auto found, co_await context.store.list_people(page));
    const auto render = [](std::string& out, const store::User& row) { render_person(out, row); };
    co_return web::json_reply(render_list(found, render));
}

Task<Result<Reply>> create_person(Context& context, Exchange& exchange) {
    CO_TRY(const auto object, parse_body(exchange.request()));
    const Fields fields(object);
    auth::NewUser wanted;
    CO_TRY(wanted.email, fields.required_text("email"));
    CO_TRY(auto name, fields.text("name"));
    wanted.name = name.value_or(std::string());
    CO_TRY(const auto role, parse_role_field(fields));
    wanted.role = role.value_or(store::Role::member);
    CO_TRY(auto password, fields.text("password"));
    const std::string made = password ? std::string() : auth::make_password();
    wanted.password = password.value_or(made);
    CO_TRY(const auto user, co_await context.accounts.add_user(std::move(wanted), store::IfFirst::no));
    note_person(exchange, user);
    exchange.request().audit.detail += " role=" + std::string(auth::role_name(user.role));
    co_return person_reply(user, 201, made);
}

Task<Result<Reply>> get_person(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, person_in_path(exchange));
    CO_TRY(const auto user, co_await context.store.find_user_by_id(id));
    co_return person_reply(user);
}

Task<Result<Reply>> change_person(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, person_in_path(exchange));
    CO_TRY(const auto object, parse_body(exchange.request()));
    const Fields fields(object);
    store::UserPatch patch;
    CO_TRY(patch.name, fields.text("name"));
    CO_TRY(patch.role, parse_role_field(fields));
    CO_TRY(patch.suspended, fields.boolean("suspended"));
    CO_TRY(const auto user, co_await context.accounts.change_user(id, patch));
    note_change(exchange, user, patch);
    if (!user.may_enter()) {
        co_await end_activity(context, exchange, user.no);
    } else if (patch.role && user.role != store::Role::admin) {
        // What only administrators see may be on its way. Answers go on.
        context.end_requests(static_cast<std::int64_t>(user.no), exchange.request().id);
    }
    co_return person_reply(user);
}

Task<Result<Reply>> replace_password(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, person_in_path(exchange));
    CO_TRY(const auto object, parse_body(exchange.request()));
    const Fields fields(object);
    CO_TRY(auto password, fields.text("password"));
    // Of these sessions at most one is the person's own.
    CO_TRY(
        const auto made,
        co_await context.accounts.replace_password(id, std::move(password), session_of(exchange.request()))
    );
    CO_TRY(const auto user, co_await context.store.find_user_by_id(id));
    note_person(exchange, user);
    co_return person_reply(user, 200, made);
}

Task<Result<Reply>> end_access(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, person_in_path(exchange));
    CO_TRY(const auto user, co_await context.store.find_user_by_id(id));
    note_person(exchange, user);
    CO_TRY(const auto ended, co_await context.accounts.end_access(user.no, session_of(exchange.request())));
    co_await end_activity(context, exchange, user.no);
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("id", id.str());
    out.member("sessions_ended", ended.sessions);
    out.member("keys_ended", ended.keys);
    out.end_object();
    co_return web::json_reply(std::move(body));
}

Task<Result<Reply>> delete_person(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, person_in_path(exchange));
    CO_TRY(const auto person, co_await context.store.find_user_by_id(id));
    note_person(exchange, person);  // afterwards the address is gone
    CO_TRY(const auto user, co_await context.accounts.delete_user(id));
    co_await end_activity(context, exchange, user);
    co_return deleted_reply(id.str());
}

}  // namespace

void add_people_routes(Routes& routes) {
    routes.add("GET", "/api/admin/users", Access::admin, list_people);
    routes.add_audited("POST", "/api/admin/users", Access::admin, create_person, "person_made").load = web::Load::sign_in;
    routes.add("GET", "/api/admin/users/{id}", Access::admin, get_person);
    routes.add_audited("PATCH", "/api/admin/users/{id}", Access::admin, change_person, "person_changed");
    routes.add_audited("DELETE", "/api/admin/users/{id}", Access::admin, delete_person, "person_deleted");
    routes.add_audited("POST", "/api/admin/users/{id}/password", Access::admin, replace_password, "password_reset").load = web::Load::sign_in;
    routes.add_audited("POST", "/api/admin/users/{id}/end-access", Access::admin, end_access, "access_ended");
}

}  // namespace confab::api
