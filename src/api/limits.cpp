// /api/me/limits: what one may use, and has used. /api/admin/...: what everybody, a person or a key may use.
#include "api/key_json.hpp"
#include "api/routes.hpp"
#include "api/usage_json.hpp"

namespace confab::api {

namespace {

using meter::LimitKind;
using store::LimitScope;
using store::LimitSubject;
using web::Access;

constexpr std::int64_t kLimitMax = 1'000'000'000'000'000;

// In the order of LimitKind.
constexpr std::array<std::string_view, meter::kLimitKinds> kLimitNames{
    "requests_per_minute", "tokens_per_minute", "requests_per_month",
    "tokens_per_month", "concurrent_answers", "storage_bytes"
};

// Null: as everybody, or none for everybody.
void render_limits(base::JsonWriter& out, const store::Limits& limits) {
    out.begin_object();
    for (std::size_t i = 0; i < kLimitNames.size(); ++i) {
        out.key(kLimitNames[i]);
        if (!limits[i]) {
            out.value(nullptr);
        } else if (*limits[i] == meter::kUnlimited) {
            out.value("unlimited");
        } else {
            out.value(*limits[i]);
        }
    }
    out.end_object();
}

// Null: none.
void render_values(base::JsonWriter& out, const meter::LimitValues& values) {
    out.begin_object();
    for (std::size_t i = 0; i < kLimitNames.size(); ++i) {
        out.key(kLimitNames[i]);
        if (values[i] == meter::kUnlimited) {
            out.value(nullptr);
        } else {
            out.value(values[i]);
        }
    }
    out.end_object();
}

// Members that are absent stay as they are.
base::Status change_limits(const json::object& object, const std::string& prefix, store::Limits& limits) {
    for (std::size_t i = 0; i < kLimitNames.size(); ++i) {
        const json::value* given = object.if_contains(kLimitNames[i]);
        if (given == nullptr) {
            continue;
        }
        if (given->is_null()) {
            limits[i].reset();
        } else if (given->is_string() && given->get_string() == "unlimited") {
            limits[i] = meter::kUnlimited;
        } else if (given->is_int64() && given->get_int64() >= 0 && given->get_int64() <= kLimitMax) {
            limits[i] = given->get_int64();
        } else {
            return base::invalid(
                prefix + std::string(kLimitNames[i]), "A limit is a whole number from 0 on, 'unlimited', or null."
            );
        }
    }
    return {};
}

// In force with the next request, on every shard.
void tell_everybody(Context& context) {
    context.allowances.forget_limits();
    context.accounts.bump_epoch();
}

Reply limits_reply(const store::Limits& limits) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "limits");
    out.key("limits");
    render_limits(out, limits);
    out.end_object();
    return web::json_reply(std::move(body));
}

// ---- of everybody ----

Task<Result<Reply>> defaults_reply(Context& context) {
    LimitSubject subject;
    CO_TRY(const auto person, co_await context.store.find_limits(subject));
    subject.scope = LimitScope::every_key;
    CO_TRY(const auto key, co_await context.store.find_limits(subject));
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "limits");
    out.key("person");
    render_limits(out, person);
    out.key("key");
    render_limits(out, key);
    out.end_object();
    co_return web::json_reply(std::move(body));
}

Task<Result<Reply>> get_defaults(Context& context, Exchange& /*exchange*/) {
    return defaults_reply(context);
}

Task<Result<Reply>> change_defaults(Context& context, Exchange& exchange) {
    CO_TRY(const auto object, parse_body(exchange.request()));
    const Fields fields(object);
    LimitSubject everybody;
    LimitSubject every_key;
    every_key.scope = LimitScope::every_key;
    CO_TRY(auto person, co_await context.store.find_limits(everybody));
    CO_TRY(auto key, co_await context.store.find_limits(every_key));
    CO_TRY(const json::object* of_person, fields.object("person"));
    CO_TRY(const json::object* of_key, fields.object("key"));
    if (of_person != nullptr) {
        CO_TRY_VOID(change_limits(*of_person, "person.", person));
    }
    if (of_key != nullptr) {
        CO_TRY_VOID(change_limits(*of_key, "key.", key));
    }
    CO_TRY_VOID(co_await context.store.put_limits(everybody, person));
    CO_TRY_VOID(co_await context.store.put_limits(every_key, key));
    tell_everybody(context);
    co_return co_await defaults_reply(context);
}

// ---- of one ----

Result<LimitSubject> limits_of_person(Exchange& exchange) {
    LimitSubject subject;
    subject.scope = LimitScope::person;
    TRY(subject.person, parse_path_id<store::UserId>(exchange.request(), 0, "User"));
    return subject;
}

Result<LimitSubject> limits_of_key(Exchange& exchange) {
    LimitSubject subject;
    subject.scope = LimitScope::key;
    TRY(subject.key, parse_path_id<store::KeyId>(exchange.request(), 0, "API key"));
    return subject;
}

Task<Result<Reply>> get_limits_of(Context& context, LimitSubject subject) {
    CO_TRY(const auto limits, co_await context.store.find_limits(subject));
    co_return limits_reply(limits);
}

Task<Result<Reply>> change_limits_of(Context& context, Exchange& exchange, LimitSubject subject) {
    CO_TRY(const auto object, parse_body(exchange.request()));
    CO_TRY(auto limits, co_await context.store.find_limits(subject));
    CO_TRY_VOID(change_limits(object, std::string(), limits));
    CO_TRY_VOID(co_await context.store.put_limits(subject, limits));
    tell_everybody(context);
    co_return limits_reply(limits);
}

Task<Result<Reply>> get_person_limits(Context& context, Exchange& exchange) {
    CO_TRY(const auto subject, limits_of_person(exchange));
    co_return co_await get_limits_of(context, subject);
}

Task<Result<Reply>> change_person_limits(Context& context, Exchange& exchange) {
    CO_TRY(const auto subject, limits_of_person(exchange));
    co_return co_await change_limits_of(context, exchange, subject);
}

Task<Result<Reply>> get_key_limits(Context& context, Exchange& exchange) {
    CO_TRY(const auto subject, limits_of_key(exchange));
    co_return co_await get_limits_of(context, subject);
}

Task<Result<Reply>> change_key_limits(Context& context, Exchange& exchange) {
    CO_TRY(const auto subject, limits_of_key(exchange));
    co_return co_await change_limits_of(context, exchange, subject);
}

// The keys of a person, for whom they are to be limited; never their secrets.
Task<Result<Reply>> list_person_keys(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::UserId>(exchange.request(), 0, "User"));
    CO_TRY(const auto user, co_await context.store.find_user_by_id(id));
    CO_TRY(auto body, co_await render_keys_of(context, user.no));
    co_return web::json_reply(std::move(body));
}

// ---- one's own ----

Task<Result<Reply>> get_own_limits(Context& context, Exchange& exchange) {
    const store::Payer payer = payer_of(exchange);
    const auto moment = meter::moment_now();
    CO_TRY(const auto found, co_await context.store.find_entitlement(payer.user, payer.key, moment.month));
    CO_TRY(const auto entitled, co_await context.allowances.of(payer.user, payer.key));
    const meter::MonthSum used = entitled.person->used_in(moment.month);
    const auto requests = entitled.person->requests(moment.now);
    const auto tokens = entitled.person->tokens(moment.now);
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "limits");
    out.key("limits");
    render_values(out, found.person);
    out.key("key_limits");
    if (payer.key) {
        render_values(out, found.key);
    } else {
        out.value(nullptr);
    }
    out.key("used");
    out.begin_object();
    out.member("requests_per_minute", requests.limit < 0 ? 0 : requests.limit - requests.remaining);
    out.member("tokens_per_minute", tokens.limit < 0 ? 0 : tokens.limit - tokens.remaining);
    out.member("requests_per_month", used.requests);
    out.member("tokens_per_month", used.tokens);
    out.member("concurrent_answers", entitled.person->under_way());
    out.member("storage_bytes", found.storage_used);
    out.end_object();
    out.end_object();
    co_return web::json_reply(std::move(body));
}

}  // namespace

void add_limit_routes(Routes& routes) {
    routes.add("GET", "/api/me/limits", Access::user, get_own_limits);
    routes.add("GET", "/api/admin/limits", Access::admin, get_defaults);
    routes.add_audited("PATCH", "/api/admin/limits", Access::admin, change_defaults, "limits_changed");
    routes.add("GET", "/api/admin/users/{id}/limits", Access::admin, get_person_limits);
    routes.add_audited("PATCH", "/api/admin/users/{id}/limits", Access::admin, change_person_limits, "limits_changed");
    routes.add("GET", "/api/admin/users/{id}/keys", Access::admin, list_person_keys);
    routes.add("GET", "/api/admin/keys/{id}/limits", Access::admin, get_key_limits);
    routes.add_audited("PATCH", "/api/admin/keys/{id}/limits", Access::admin, change_key_limits, "limits_changed");
}

}  // namespace confab::api
