// /api/keys: one's own API keys.
#include "api/body.hpp"
#include "api/routes.hpp"

namespace confab::api {

namespace {

using web::Access;

void render_key(base::JsonWriter& out, const store::ApiKey& key, std::string_view secret) {
    out.begin_object();
    out.member("id", key.id.str());
    out.member("name", key.name);
    out.member("prefix", key.prefix);
    out.member("created_at", key.created_at);
    out.key("last_used_at");
    if (key.last_used_at) {
        out.value(*key.last_used_at);
    } else {
        out.value(nullptr);
    }
    if (!secret.empty()) {
        out.member("key", secret);
    }
    out.end_object();
}

Task<Result<Reply>> list_keys(Context& context, Exchange& exchange) {
    CO_TRY(const auto keys, co_await context.store.list_keys(user_of(exchange)));
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "list");
    out.key("data");
    out.begin_array();
    for (const store::ApiKey& key : keys) {
        render_key(out, key, {});
    }
    out.end_array();
    out.end_object();
    co_return web::json_reply(std::move(body));
}

Task<Result<Reply>> create_key(Context& context, Exchange& exchange) {
    CO_TRY(const auto object, parse_body(exchange.request()));
    const Fields fields(object);
    CO_TRY(auto name, fields.required_text("name"));
    CO_TRY(const auto made, co_await context.accounts.add_key(user_of(exchange), std::move(name)));
    std::string body;
    base::JsonWriter out(body);
    render_key(out, made.first, made.second);
    co_return web::json_reply(std::move(body), 201);
}

Task<Result<Reply>> revoke_key(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::KeyId>(exchange.request(), 0, "API key"));
    CO_TRY_VOID(co_await context.accounts.revoke_key(user_of(exchange), id));
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("id", id.str());
    out.member("deleted", true);
    out.end_object();
    co_return web::json_reply(std::move(body));
}

}  // namespace

// A stolen key must not be able to make itself a successor: keys are managed with the cookie.
void add_key_routes(Routes& routes) {
    routes.add("GET", "/api/keys", Access::cookie_user, list_keys);
    routes.add("POST", "/api/keys", Access::cookie_user, create_key);
    routes.add("DELETE", "/api/keys/{id}", Access::cookie_user, revoke_key);
}

}  // namespace confab::api
