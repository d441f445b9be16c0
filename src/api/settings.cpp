// /api/settings: what the administrator sets for all. /api/me/settings: what a person sets for oneself.
#include "api/body.hpp"
#include "api/routes.hpp"
#include "api/sharing.hpp"
#include "api/sign_up.hpp"
#include "base/text.hpp"

namespace confab::api {

namespace {

using web::Access;

// One that is absent from the store, or empty, is the default.
Task<Result<std::string>> read_setting(Context& context, std::string_view name, std::string_view otherwise) {
    CO_TRY(const auto value, co_await context.store.get_setting(std::string(name)));
    co_return value && !value->empty() ? *value : std::string(otherwise);
}

Task<Result<Reply>> render_settings(Context& context) {
    CO_TRY(const auto default_model, co_await read_setting(context, store::kSettingDefaultModel, ""));
    CO_TRY(const auto title_model, co_await read_setting(context, store::kSettingTitleModel, ""));
    CO_TRY(const auto retention, co_await read_setting(context, store::kSettingRetentionDays, "null"));
    const std::string trash_default = std::to_string(store::kTrashDaysDefault);
    CO_TRY(const auto trash, co_await read_setting(context, store::kSettingTrashDays, trash_default));
    CO_TRY(const auto compaction, co_await read_setting(context, store::kSettingCompaction, "off"));
    CO_TRY(const auto sign_up, co_await sign_up_rules(context));
    CO_TRY(const bool sharing, co_await sharing_allowed(context));
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "settings");
    out.member("default_model", default_model);
    out.member("title_model", title_model);
    out.raw_member("retention_days", retention);
    out.raw_member("trash_days", trash);
    out.member("compaction", compaction);
    out.member("signup", sign_up_mode_name(sign_up.mode));
    out.member("signup_role", auth::role_name(sign_up.role));
    out.member("sharing", sharing ? "on" : "off");
    out.end_object();
    co_return web::json_reply(std::move(body));
}

// A number of days as it is stored: empty for null. Absent: nothing.
Result<std::optional<std::string>> parse_days(const json::object& object, std::string_view name, bool nullable) {
    const json::value* given = object.if_contains(name);
    if (given == nullptr) {
        return std::nullopt;
    }
    if (given->is_null()) {
        if (!nullable) {
            return base::invalid(std::string(name), "'" + std::string(name) + "' is a number of days.", "invalid_type");
        }
        return std::optional(std::string());
    }
    TRY(const auto days, Fields(object).integer(name, 1, store::kRetentionDaysMax));
    return std::optional(std::to_string(*days));
}

struct Change {
    std::string_view name;
    std::string value;
};

base::Status parse_sign_up(const Fields& fields, std::vector<Change>& changes) {
    TRY(auto mode, fields.text("signup"));
    if (mode) {
        if (!parse_sign_up_mode(*mode)) {
            return base::invalid("signup", "signup is 'off', 'invitation' or 'open'.");
        }
        changes.push_back({store::kSettingSignUp, *std::move(mode)});
    }
    TRY(auto role, fields.text("signup_role"));
    if (role) {
        if (*role != "pending" && *role != "member") {
            return base::invalid("signup_role", "signup_role is 'pending' or 'member'.");
        }
        changes.push_back({store::kSettingSignUpRole, *std::move(role)});
    }
    return {};
}

Result<std::vector<Change>> parse_changes(const json::object& object) {
    const Fields fields(object);
    std::vector<Change> changes;
    TRY(auto default_model, fields.text("default_model", kModelBytesMax));
    if (default_model) {
        changes.push_back({store::kSettingDefaultModel, std::string(base::trim(*default_model))});
    }
    TRY(auto title_model, fields.text("title_model", kModelBytesMax));
    if (title_model) {
        changes.push_back({store::kSettingTitleModel, std::string(base::trim(*title_model))});
    }
    TRY(auto retention, parse_days(object, store::kSettingRetentionDays, true));
    if (retention) {
        changes.push_back({store::kSettingRetentionDays, *std::move(retention)});
    }
    TRY(auto trash, parse_days(object, store::kSettingTrashDays, false));
    if (trash) {
        changes.push_back({store::kSettingTrashDays, *std::move(trash)});
    }
    TRY(auto compaction, fields.text("compaction"));
    if (compaction) {
        if (*compaction != "auto" && *compaction != "off") {
            return base::invalid("compaction", "compaction is 'auto' or 'off'.");
        }
        changes.push_back({store::kSettingCompaction, *std::move(compaction)});
    }
    TRY(auto sharing, fields.text("sharing"));
    if (sharing) {
        if (*sharing != "on" && *sharing != "off") {
            return base::invalid("sharing", "sharing is 'on' or 'off'.");
        }
        changes.push_back({store::kSettingSharing, *std::move(sharing)});
    }
    TRY_VOID(parse_sign_up(fields, changes));
    return changes;
}

Task<Result<Reply>> get_settings(Context& context, Exchange& /*exchange*/) {
    return render_settings(context);
}

// Everything is checked before anything is kept.
Task<Result<Reply>> change_settings(Context& context, Exchange& exchange) {
    CO_TRY(const auto object, parse_body(exchange.request()));
    CO_TRY(auto changes, parse_changes(object));
    std::string& names = exchange.request().audit.detail;
    for (Change& change : changes) {
        names += (names.empty() ? "" : " ") + std::string(change.name);
        CO_TRY_VOID(co_await context.store.put_setting(std::string(change.name), std::move(change.value)));
    }
    co_return co_await render_settings(context);
}

Reply user_settings_reply(const store::UserSettings& settings) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "user_settings");
    out.key("retention_days");
    if (settings.retention_days) {
        out.value(*settings.retention_days);
    } else {
        out.value(nullptr);
    }
    out.end_object();
    return web::json_reply(std::move(body));
}

Task<Result<Reply>> get_user_settings(Context& context, Exchange& exchange) {
    CO_TRY(const auto settings, co_await context.store.get_user_settings(user_of(exchange)));
    co_return user_settings_reply(settings);
}

Task<Result<Reply>> change_user_settings(Context& context, Exchange& exchange) {
    CO_TRY(const auto object, parse_body(exchange.request()));
    CO_TRY(auto settings, co_await context.store.get_user_settings(user_of(exchange)));
    CO_TRY(const auto days, parse_days(object, store::kSettingRetentionDays, true));
    if (days) {
        settings.retention_days.reset();
        CO_TRY(settings.retention_days, Fields(object).integer("retention_days", 1, store::kRetentionDaysMax));
    }
    CO_TRY_VOID(co_await context.store.put_user_settings(user_of(exchange), settings));
    co_return user_settings_reply(settings);
}

}  // namespace

void add_settings_routes(Routes& routes) {
    routes.add("GET", "/api/settings", Access::admin, get_settings);
    routes.add_audited("PATCH", "/api/settings", Access::admin, change_settings, "settings_changed");
    routes.add("GET", "/api/me/settings", Access::user, get_user_settings);
    routes.add("PATCH", "/api/me/settings", Access::user, change_user_settings);
}

}  // namespace confab::api
