// /api/keys: one's own API keys.
#include <limits>

#include "api/body.hpp"
#include "api/key_json.hpp"
#include "api/routes.hpp"

namespace confab::api {

namespace {

using web::Access;

Result<std::vector<std::string>> parse_models(const Fields& fields) {
    TRY(const json::array* given, fields.array("models"));
    std::vector<std::string> models;
    for (const json::value& model : given != nullptr ? *given : json::array()) {
        if (!model.is_string()) {
            return base::invalid("models", "'models' holds names of models.", "invalid_type");
        }
        models.emplace_back(std::string_view(model.get_string()));
    }
    return models;
}

Task<Result<Reply>> list_keys(Context& context, Exchange& exchange) {
    CO_TRY(auto body, co_await render_keys_of(context, user_of(exchange)));
    co_return web::json_reply(std::move(body));
}

Task<Result<Reply>> create_key(Context& context, Exchange& exchange) {
    CO_TRY(const auto object, parse_body(exchange.request()));
    const Fields fields(object);
    auth::NewKey wanted;
    CO_TRY(wanted.name, fields.required_text("name"));
    CO_TRY(wanted.models, parse_models(fields));
    CO_TRY(const auto read_only, fields.boolean("read_only"));
    wanted.read_only = read_only.value_or(false);
    CO_TRY(wanted.expires_at, fields.integer("expires_at", 0, std::numeric_limits<std::int64_t>::max()));
    CO_TRY(const auto made, co_await context.accounts.add_key(user_of(exchange), std::move(wanted)));
    std::string body;
    base::JsonWriter out(body);
    render_key(out, made.first, {}, made.second);
    exchange.request().audit.object = made.first.id.str();
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
    routes.add_audited("POST", "/api/keys", Access::cookie_user, create_key, "key_made");
    routes.add_audited("DELETE", "/api/keys/{id}", Access::cookie_user, revoke_key, "key_revoked");
}

}  // namespace confab::api
