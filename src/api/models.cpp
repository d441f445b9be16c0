// /v1/models: what the connected model servers list.
#include "api/body.hpp"
#include "api/routes.hpp"

namespace confab::api {

namespace {

using web::Access;

constexpr std::chrono::seconds kListAgeMax{15};

void render_model(base::JsonWriter& out, const llm::Model& model, std::string_view upstream) {
    out.begin_object();
    out.member("id", model.id);
    out.member("object", "model");
    out.member("created", model.created);
    out.member("owned_by", model.owned_by.empty() ? upstream : std::string_view(model.owned_by));
    out.member("upstream", upstream);
    out.key("context_tokens");
    if (model.context_tokens > 0) {
        out.value(model.context_tokens);
    } else {
        out.value(nullptr);
    }
    out.end_object();
}

llm::Model demo_model() {
    llm::Model model;
    model.id = llm::kDemoModel;
    model.owned_by = "confab";
    return model;
}

Task<Result<Reply>> list_models(Context& context, Exchange& exchange) {
    const auto catalog = co_await context.upstreams.fresh(kListAgeMax);
    CO_TRY(const auto chosen, co_await default_model_of(context, exchange.request(), catalog));
    const bool may_ask_chosen = may_ask_listed(context, exchange.request(), chosen);  // the key may be for others
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "list");
    out.key("data");
    out.begin_array();
    if (catalog->is_demo() && may_ask_listed(context, exchange.request(), llm::kDemoModel)) {
        render_model(out, demo_model(), "confab");
    }
    for (const llm::UpstreamState& state : catalog->upstreams) {
        for (const llm::Model& model : state.models) {
            if (may_ask_listed(context, exchange.request(), model.id)) {
                render_model(out, model, state.upstream->name);
            }
        }
    }
    out.end_array();
    out.member_or_null("default_model", may_ask_chosen ? chosen : std::string());
    out.key("upstreams");
    out.begin_array();
    for (const llm::UpstreamState& state : catalog->upstreams) {
        out.begin_object();
        out.member("name", state.upstream->name);
        out.member("base_url", state.upstream->base_url);
        out.member("ok", state.ok);
        out.member_or_null("error", state.error);
        out.end_object();
    }
    out.end_array();
    out.end_object();
    co_return web::json_reply(std::move(body));
}

Task<Result<Reply>> get_model(Context& context, Exchange& exchange) {
    const auto catalog = co_await context.upstreams.fresh(kListAgeMax);
    // Names may hold slashes ("meta-llama/Llama-3"): everything after /v1/models/ is the name.
    const std::string name = exchange.request().path.substr(std::string_view("/v1/models/").size());
    std::string body;
    base::JsonWriter out(body);
    const bool allowed = may_ask_listed(context, exchange.request(), name);
    if (allowed && catalog->is_demo() && name == llm::kDemoModel) {
        render_model(out, demo_model(), "confab");
    }
    for (const llm::UpstreamState& state : catalog->upstreams) {
        for (const llm::Model& model : state.models) {
            if (allowed && model.id == name && body.empty()) {
                render_model(out, model, state.upstream->name);
            }
        }
    }
    if (body.empty()) {
        co_return unknown_model(name);
    }
    co_return web::json_reply(std::move(body));
}

}  // namespace

void add_model_routes(Routes& routes) {
    routes.add("GET", "/v1/models", Access::user, list_models);
    routes.add("GET", "/v1/models/{name...}", Access::user, get_model);
}

}  // namespace confab::api
