// GET /api/admin/resources: the meters as they are now and as they were, for administrators.
#include <charconv>

#include "api/metrics.hpp"
#include "api/routes.hpp"
#include "meter/resource_history.hpp"

namespace confab::api {

namespace {

using meter::ResourceHistory;
using web::Access;

constexpr std::size_t kHoldersMax = 10;  // users who hold most

Result<std::int64_t> parse_since(const web::Request& request) {
    const auto text = request.query_value("since");
    if (!text) {
        return 0;
    }
    std::int64_t since = 0;
    const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), since);
    if (ec != std::errc{} || end != text->data() + text->size() || since < 0) {
        return base::invalid("since", "since is the time of the newest sample that is known, in Unix seconds.");
    }
    return since;
}

// As short as it can be without losing anything.
void write_float(base::JsonWriter& out, float value) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    out.raw({digits, static_cast<std::size_t>(end - digits)});
}

void render_history(base::JsonWriter& out, const std::vector<ResourceHistory::Sample>& samples) {
    out.begin_object();
    out.member("interval_seconds", ResourceHistory::kInterval.count());
    out.member("samples_max", static_cast<std::uint64_t>(ResourceHistory::kSamplesMax));
    out.key("at");
    out.begin_array();
    for (const auto& sample : samples) {
        out.value(sample.at);
    }
    out.end_array();
    out.key("series");
    out.begin_object();
    for (std::size_t i = 0; i < ResourceHistory::kSeries; ++i) {
        out.key(meter::kHistoryMeters[i]);
        out.begin_array();
        for (const auto& sample : samples) {
            write_float(out, sample.values[i]);
        }
        out.end_array();
    }
    out.end_object();
    out.end_object();
}

void render_pressure(base::JsonWriter& out, const meter::Pressure& pressure) {
    out.begin_object();
    out.member("usage_bytes", pressure.usage_bytes());
    out.member("limit_bytes", pressure.limit_bytes());
    out.member("level", pressure.level());
    out.key("actions");
    out.begin_array();
    for (const meter::ActionRule& rule : meter::kActionRules) {
        out.begin_object();
        out.member("name", rule.name);
        out.member("begins_at", rule.begins_at);
        out.member("active", pressure.active(rule.action));
        out.member("meaning", rule.meaning);
        out.end_object();
    }
    out.end_array();
    out.end_object();
}

// Who is gone meanwhile is left out.
Task<std::vector<std::pair<store::User, meter::UserHolding>>> find_holders(Context& context) {
    std::vector<std::pair<store::User, meter::UserHolding>> holders;
    for (const meter::UserHolding& holding : context.budget.heaviest_users(kHoldersMax)) {
        auto user = co_await context.store.find_user(store::UserNo(holding.user_no));
        if (user) {
            holders.emplace_back(*std::move(user), holding);
        }
    }
    co_return holders;
}

void render_held(
    base::JsonWriter& out,
    const meter::ByteBudget& budget,
    const std::vector<std::pair<store::User, meter::UserHolding>>& holders
) {
    out.begin_object();
    out.key("purposes");
    out.begin_object();
    for (std::size_t i = 0; i < meter::kPurposes; ++i) {
        const auto purpose = static_cast<meter::Purpose>(i);
        out.member(meter::name_of(purpose), budget.bytes_leased(purpose));
    }
    out.end_object();
    out.key("users");
    out.begin_array();
    for (const auto& [user, holding] : holders) {
        out.begin_object();
        out.member("id", user.id.str());
        out.member("name", user.name);
        out.member("email", user.email);
        out.member("bytes", holding.bytes);
        out.member("runs", holding.runs);
        out.end_object();
    }
    out.end_array();
    out.end_object();
}

Task<Result<Reply>> get_resources(Context& context, Exchange& exchange) {
    CO_TRY(const std::int64_t since, parse_since(exchange.request()));
    const auto samples = context.history.since(since);
    const auto holders = co_await find_holders(context);
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "resources");
    out.member("at", base::unix_now());
    out.member("started_at", context.meters.started_at);
    out.key("meters");
    render_meters(out, context.meters);
    out.key("pressure");
    render_pressure(out, context.pressure);
    out.key("held");
    render_held(out, context.budget, holders);
    out.key("history");
    render_history(out, samples);
    out.end_object();
    co_return web::json_reply(std::move(body));
}

}  // namespace

void add_resource_routes(Routes& routes) {
    routes.add("GET", "/api/admin/resources", Access::admin, get_resources);
}

}  // namespace confab::api
