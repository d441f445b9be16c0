// GET /api/admin/health: is all well, and if not, what is wrong? For administrators.
//
// Nothing here costs more with more rows: the store answers a ping, it and the disk tell their sizes, the rest is in
// memory. What is said of model servers is at most kLookAgeMax old.
#include <algorithm>
#include <charconv>

#include "api/metrics.hpp"
#include "api/routes.hpp"
#include "llm/upstream_slots.hpp"
#include "store/organise_rows.hpp"

namespace confab::api {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using web::Access;

constexpr std::chrono::seconds kLookAgeMax{15};
constexpr std::uint64_t kDiskLowBytes = 1ULL << 30;    // free; a backup of a small server still fits
constexpr std::uint64_t kWalLargeBytes = 256ULL << 20;  // four times where the writer cuts it: something keeps it from that
constexpr base::UnixSeconds kBackupOldAfter = 7LL * 24 * 3'600;  // seconds

struct StoreHealth {
    Result<std::uint64_t> ping;  // bytes of the database
    milliseconds answered{0};
    std::optional<store::DiskRoom> room;
    std::uint64_t log_bytes = 0;  // of the write-ahead log
    std::optional<base::UnixSeconds> last_backup_at;
};

// What is not as it should be. `about`: the name of a model server, or of what is given up; may be empty.
struct HealthFinding {
    std::string_view code;
    bool serious = true;  // false: worth knowing
    std::string about;
};

Task<StoreHealth> look_at_store(Context& context) {
    StoreHealth health;
    const auto begun = steady_clock::now();
    health.ping = co_await context.store.ping();
    health.answered = duration_cast<milliseconds>(steady_clock::now() - begun);
    const auto room = co_await context.blobs.room();
    if (room) {
        health.room = *room;
    }
    health.log_bytes = static_cast<std::uint64_t>(context.counters.store.wal_bytes.value());
    const auto backup = co_await context.store.get_setting(std::string(store::kSettingLastBackup));
    if (backup && *backup) {
        base::UnixSeconds at = 0;
        const std::string& text = **backup;
        if (std::from_chars(text.data(), text.data() + text.size(), at).ec == std::errc{}) {
            health.last_backup_at = at;
        }
    }
    co_return health;
}

std::vector<HealthFinding> find_faults(const Context& context, const StoreHealth& store, const llm::Catalog& catalog) {
    std::vector<HealthFinding> found;
    if (!store.ping) {
        found.push_back({store.ping.error().errc == base::Errc::storage_full ? "disk_full" : "store_failing", true, ""});
    }
    if (store.room && store.room->free_bytes < kDiskLowBytes) {
        found.push_back({"disk_low", true, ""});
    }
    if (store.log_bytes > kWalLargeBytes) {
        found.push_back({"log_large", true, ""});
    }
    for (const llm::UpstreamState& state : catalog.upstreams) {
        if (catalog.refreshed && !state.ok) {
            found.push_back({"upstream_unreachable", true, state.upstream->name});
        } else if (catalog.refreshed && state.models.empty()) {
            found.push_back({"upstream_without_models", true, state.upstream->name});
        }
    }
    for (const meter::ActionRule& rule : meter::kActionRules) {
        if (context.pressure.active(rule.action)) {
            found.push_back({"memory_short", true, std::string(rule.name)});
        }
    }
    if (context.draining.load(std::memory_order_relaxed)) {
        found.push_back({"stopping", true, ""});
    }
    if (catalog.is_demo()) {
        found.push_back({"no_upstream", false, ""});
    }
    if (!store.last_backup_at) {
        found.push_back({"no_backup", false, ""});
    } else if (*store.last_backup_at < base::unix_now() - kBackupOldAfter) {
        found.push_back({"backup_old", false, ""});
    }
    return found;
}

template <class Number>
void member_or_nothing(base::JsonWriter& out, std::string_view name, const std::optional<Number>& number) {
    out.key(name);
    if (number) {
        out.value(*number);
    } else {
        out.value(nullptr);
    }
}

void render_findings(base::JsonWriter& out, const std::vector<HealthFinding>& findings) {
    out.begin_array();
    for (const HealthFinding& finding : findings) {
        out.begin_object();
        out.member("code", finding.code);
        out.member("serious", finding.serious);
        out.member_or_null("about", finding.about);
        out.end_object();
    }
    out.end_array();
}

void render_store(base::JsonWriter& out, const StoreHealth& store) {
    out.begin_object();
    out.member("ok", store.ping.has_value());
    out.member_or_null("error", store.ping ? std::string() : store.ping.error().message);
    out.member("answered_ms", store.answered.count());
    member_or_nothing(out, "database_bytes", store.ping ? std::optional(*store.ping) : std::nullopt);
    out.member("log_bytes", store.log_bytes);
    member_or_nothing(out, "disk_free_bytes", store.room ? std::optional(store.room->free_bytes) : std::nullopt);
    member_or_nothing(out, "disk_bytes", store.room ? std::optional(store.room->bytes) : std::nullopt);
    member_or_nothing(out, "last_backup_at", store.last_backup_at);
    out.end_object();
}

void render_failure(base::JsonWriter& out, const llm::UpstreamFailure* failure) {
    if (failure == nullptr) {
        out.value(nullptr);
        return;
    }
    out.begin_object();
    out.member("at", failure->at);
    out.member("code", failure->code);
    out.member("message", failure->message);
    out.end_object();
}

void render_server(base::JsonWriter& out, const llm::UpstreamState& state, bool looked_at) {
    const llm::UpstreamSlots& slots = *state.upstream->slots;
    const auto counts = slots.counts();
    out.begin_object();
    out.member("name", state.upstream->name);
    out.member("base_url", state.upstream->base_url);
    out.key("ok");
    if (looked_at) {
        out.value(state.ok);
    } else {
        out.value(nullptr);
    }
    out.member_or_null("error", state.error);
    out.member("models", static_cast<std::uint64_t>(state.models.size()));
    member_or_nothing(out, "answered_ms", state.ok ? std::optional(slots.look_ms()) : std::nullopt);
    out.key("last_failure");
    render_failure(out, slots.last_failure().get());
    out.member("in_flight", static_cast<std::uint64_t>(counts.in_use));
    out.member("waiting", static_cast<std::uint64_t>(counts.waiting));
    out.member("slots", state.upstream->slots_max);
    out.end_object();
}

void render_servers(base::JsonWriter& out, const llm::Catalog& catalog) {
    out.begin_array();
    for (const llm::UpstreamState& state : catalog.upstreams) {
        render_server(out, state, catalog.refreshed);
    }
    out.end_array();
}

void render_memory(base::JsonWriter& out, const meter::Pressure& pressure) {
    out.begin_object();
    out.member("usage_bytes", pressure.usage_bytes());
    out.member("limit_bytes", pressure.limit_bytes());
    out.member("level", pressure.level());
    out.key("given_up");
    out.begin_array();
    for (const meter::ActionRule& rule : meter::kActionRules) {
        if (pressure.active(rule.action)) {
            out.value(rule.name);
        }
    }
    out.end_array();
    out.end_object();
}

Task<Result<Reply>> get_server_health(Context& context, Exchange& /*exchange*/) {
    const auto catalog = co_await context.upstreams.fresh(kLookAgeMax);
    const StoreHealth store = co_await look_at_store(context);
    const auto findings = find_faults(context, store, *catalog);
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "health");
    out.member("status", std::ranges::any_of(findings, &HealthFinding::serious) ? "trouble" : "ok");
    out.member("at", base::unix_now());
    out.member("started_at", context.meters.started_at);
    out.member("version", context.version);
    out.key("findings");
    render_findings(out, findings);
    out.key("store");
    render_store(out, store);
    out.key("upstreams");
    render_servers(out, *catalog);
    out.key("memory");
    render_memory(out, context.pressure);
    out.member("answers", context.counters.runs.live.value());
    out.member("connections", context.counters.http.connections_live.value());
    out.end_object();
    co_return web::json_reply(std::move(body));
}

}  // namespace

// Asked for when something is wrong, so answered under pressure as well.
void add_health_routes(Routes& routes) {
    routes.add("GET", "/api/admin/health", Access::admin, get_server_health).load = web::Load::essential;
}

}  // namespace confab::api
