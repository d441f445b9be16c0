// /api/admin/model-access: which models which people may use.
#include <algorithm>

#include "api/body.hpp"
#include "api/routes.hpp"
#include "auth/model_access.hpp"
#include "base/text.hpp"

namespace confab::api {

namespace {

using store::ModelRule;
using store::ModelUse;
using web::Access;

constexpr std::string_view kWho[] = {"everybody", "administrators", "people"};  // by ModelUse

void render_rule(base::JsonWriter& out, const ModelRule& rule) {
    out.begin_object();
    out.member("model", rule.model);
    out.member("who", kWho[static_cast<std::size_t>(rule.who)]);
    out.key("people");
    out.begin_array();
    for (const store::ModelPerson& person : rule.people) {
        out.begin_object();
        out.member("id", person.id.str());
        out.member("name", person.name);
        out.member("email", person.email);
        out.end_object();
    }
    out.end_array();
    out.end_object();
}

Reply access_reply(const store::ModelAccess& access) {
    std::string_view others = kWho[0];
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "model_access");
    out.key("data");
    out.begin_array();
    for (const ModelRule& rule : access.rules) {
        if (rule.model.empty()) {
            others = kWho[static_cast<std::size_t>(rule.who)];
        } else {
            render_rule(out, rule);
        }
    }
    out.end_array();
    out.member("others", others);
    out.end_object();
    return web::json_reply(std::move(body));
}

Result<std::optional<ModelUse>> parse_who(const Fields& fields, std::string_view name) {
    TRY(const auto text, fields.text(name));
    if (!text) {
        return std::nullopt;
    }
    const auto* const found = std::ranges::find(kWho, *text);
    if (found == std::end(kWho)) {
        return base::invalid(std::string(name), std::string(name) + " is 'everybody', 'administrators' or 'people'.");
    }
    return static_cast<ModelUse>(found - std::begin(kWho));
}

Result<std::vector<store::UserId>> parse_people(const Fields& fields) {
    std::vector<store::UserId> people;
    TRY(const json::array* given, fields.array("people"));
    for (std::size_t i = 0; given != nullptr && i < given->size(); ++i) {
        const json::value& value = (*given)[i];
        const auto id = value.is_string() ? store::UserId::parse(std::string_view(value.get_string())) : std::nullopt;
        if (!id) {
            return base::invalid("people", "'people' is a list of the ids of people.");
        }
        people.push_back(*id);
    }
    return people;
}

// {"others": ...} or {"model": ..., "who": ..., "people": [...]}.
Result<store::ModelRuleChange> parse_rule_change(const json::object& object) {
    const Fields fields(object);
    store::ModelRuleChange change;
    if (fields.has("others")) {
        if (fields.has("model")) {
            return base::invalid("others", "'others' and 'model' exclude each other.", "mutually_exclusive_parameters");
        }
        TRY(change.who, parse_who(fields, "others"));
        if (!change.who || *change.who == ModelUse::people) {
            return base::invalid("others", "others is 'everybody' or 'administrators'.");
        }
        return change;
    }
    TRY(change.model, fields.required_text("model", kModelBytesMax));
    if (change.model.empty() || !base::is_utf8(change.model)) {
        return base::invalid("model", "model is the name of a model.");
    }
    if (!fields.has("who")) {
        return base::invalid("who", "Missing required parameter: 'who'.", "missing_required_parameter");
    }
    TRY(change.who, parse_who(fields, "who"));
    TRY(change.people, parse_people(fields));
    if (!change.people.empty() && change.who != ModelUse::people) {
        return base::invalid("people", "Only a rule for 'people' names any.");
    }
    return change;
}

Task<Result<Reply>> get_model_access(Context& context, Exchange& /*exchange*/) {
    CO_TRY(const auto access, co_await context.store.get_model_access());
    co_return access_reply(access);
}

// Whom a rule shuts out is refused from now on; answers that are under way end as they would have.
Task<Result<Reply>> change_model_access(Context& context, Exchange& exchange) {
    CO_TRY(const auto object, parse_body(exchange.request()));
    CO_TRY(auto change, parse_rule_change(object));
    exchange.request().audit.object = change.model;
    std::string& detail = exchange.request().audit.detail;
    detail = change.who ? kWho[static_cast<std::size_t>(*change.who)] : std::string_view("no rule");
    if (change.who == ModelUse::people) {
        detail += " " + std::to_string(change.people.size());
    }
    CO_TRY(const auto access, co_await context.store.change_model_rule(std::move(change)));
    context.model_access.take(access);
    co_return access_reply(access);
}

}  // namespace

void add_model_access_routes(Routes& routes) {
    routes.add("GET", "/api/admin/model-access", Access::admin, get_model_access);
    routes.add_audited("PUT", "/api/admin/model-access", Access::admin, change_model_access, "model_access_changed");
}

}  // namespace confab::api
