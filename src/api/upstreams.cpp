// /api/upstreams: the model servers, for administrators.
#include "api/body.hpp"
#include "api/routes.hpp"
#include "api/upstream_registry.hpp"
#include "base/text.hpp"
#include "llm/upstream_slots.hpp"

namespace confab::api {

namespace {

using web::Access;

constexpr std::chrono::seconds kStateAgeMax{5};
constexpr std::size_t kUpstreamNameBytesMax = 64;

void render_upstream(base::JsonWriter& out, const llm::UpstreamState& state) {
    out.begin_object();
    out.member("name", state.upstream->name);
    out.member("base_url", state.upstream->base_url);
    out.member("ok", state.ok);
    out.member_or_null("error", state.error);
    out.member("slots", state.upstream->slots_max);
    out.key("models");
    out.begin_array();
    for (const llm::Model& model : state.models) {
        out.value(model.id);
    }
    out.end_array();
    out.member("source", state.upstream->source == llm::Upstream::Source::config ? "config" : "stored");
    out.end_object();
}

Task<Result<Reply>> list_upstreams(Context& context, Exchange& /*exchange*/) {
    const auto catalog = co_await context.upstreams.fresh(kStateAgeMax);
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "list");
    out.key("data");
    out.begin_array();
    for (const llm::UpstreamState& state : catalog->upstreams) {
        render_upstream(out, state);
    }
    out.end_array();
    out.end_object();
    co_return web::json_reply(std::move(body));
}

Reply upstream_reply(Context& context, const std::string& name, unsigned status) {
    std::string body;
    base::JsonWriter out(body);
    const auto catalog = context.upstreams.snapshot();
    for (const llm::UpstreamState& state : catalog->upstreams) {
        if (state.upstream->name == name) {
            render_upstream(out, state);
        }
    }
    return web::json_reply(body.empty() ? std::string("{}") : std::move(body), status);
}

Result<std::optional<std::int64_t>> parse_slots(const Fields& fields) {
    return fields.integer("slots", 0, static_cast<std::int64_t>(llm::kSlotsMax));
}

Result<std::optional<std::string>> parse_key(const Fields& fields) {
    TRY(auto key, fields.text("api_key"));
    if (key && key->find_first_of("\r\n") != std::string::npos) {
        return base::invalid("api_key", "An API key has no line breaks.", "invalid_value");
    }
    return key ? std::optional(std::string(base::trim(*key))) : std::nullopt;
}

Task<Result<Reply>> add_upstream(Context& context, Exchange& exchange) {
    CO_TRY(const auto object, parse_body(exchange.request()));
    const Fields fields(object);
    llm::Upstream upstream;
    CO_TRY(upstream.name, fields.required_text("name", kUpstreamNameBytesMax));
    upstream.name = base::trim(upstream.name);
    if (upstream.name.empty() || upstream.name.find('/') != std::string::npos) {
        co_return base::invalid("name", "A model server needs a name, without slashes.", "invalid_name");
    }
    CO_TRY(const auto url, fields.required_text("base_url"));
    CO_TRY(upstream.base_url, llm::normalise_base_url(url));
    CO_TRY(auto key, parse_key(fields));
    upstream.api_key = std::move(key).value_or(std::string());
    CO_TRY(const auto slots, parse_slots(fields));
    upstream.slots_max = slots.value_or(0);
    const std::string name = upstream.name;
    exchange.request().audit.object = name;
    CO_TRY_VOID(co_await context.registry.add(std::move(upstream)));
    co_return upstream_reply(context, name, 201);
}

Task<Result<Reply>> change_upstream(Context& context, Exchange& exchange) {
    const std::string name = exchange.request().path_arguments[0];
    CO_TRY(const auto object, parse_body(exchange.request()));
    const Fields fields(object);
    UpstreamChange change;
    CO_TRY(change.slots, parse_slots(fields));
    CO_TRY(change.api_key, parse_key(fields));
    if (!change.slots && !change.api_key) {
        co_return base::invalid("slots", "Missing required parameter: 'slots' or 'api_key'.", "missing_required_parameter");
    }
    std::string& detail = exchange.request().audit.detail;
    detail = change.slots ? "slots=" + std::to_string(*change.slots) : std::string();
    if (change.api_key) {
        detail += detail.empty() ? "api_key" : " api_key";
    }
    CO_TRY_VOID(co_await context.registry.change(name, std::move(change)));
    co_return upstream_reply(context, name, 200);
}

Task<Result<Reply>> remove_upstream(Context& context, Exchange& exchange) {
    const std::string name = exchange.request().path_arguments[0];
    CO_TRY_VOID(co_await context.registry.remove(name));
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("name", name);
    out.member("deleted", true);
    out.end_object();
    co_return web::json_reply(std::move(body));
}

Task<Result<Reply>> discover(Context& context, Exchange& /*exchange*/) {
    const auto found = co_await llm::discover_local(context.client);
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "list");
    out.key("data");
    out.begin_array();
    for (const llm::UpstreamState& state : found) {
        out.begin_object();
        out.member("name", state.upstream->name);
        out.member("base_url", state.upstream->base_url);
        out.key("models");
        out.begin_array();
        for (const llm::Model& model : state.models) {
            out.value(model.id);
        }
        out.end_array();
        out.end_object();
    }
    out.end_array();
    out.end_object();
    co_return web::json_reply(std::move(body));
}

}  // namespace

void add_upstream_routes(Routes& routes) {
    routes.add("GET", "/api/upstreams", Access::admin, list_upstreams);
    routes.add_audited("POST", "/api/upstreams", Access::admin, add_upstream, "upstream_added");
    routes.add_audited("PATCH", "/api/upstreams/{name}", Access::admin, change_upstream, "upstream_changed");
    routes.add_audited("DELETE", "/api/upstreams/{name}", Access::admin, remove_upstream, "upstream_removed");
    routes.add("POST", "/api/upstreams/discover", Access::admin, discover);
}

}  // namespace confab::api
