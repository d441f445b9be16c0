#include "api/key_json.hpp"

#include <algorithm>

#include "api/usage_json.hpp"
#include "auth/key_scope.hpp"

namespace confab::api {

namespace {

void moment_or_null(base::JsonWriter& out, std::string_view name, const std::optional<store::UnixSeconds>& time) {
    out.key(name);
    if (time) {
        out.value(*time);
    } else {
        out.value(nullptr);
    }
}

}  // namespace

void render_key(
    base::JsonWriter& out,
    const store::ApiKey& key,
    const store::UsageSum& used_this_month,
    std::string_view secret
) {
    out.begin_object();
    out.member("id", key.id.str());
    out.member("name", key.name);
    out.member("prefix", key.prefix);
    out.member("created_at", key.created_at);
    moment_or_null(out, "last_used_at", key.last_used_at);
    moment_or_null(out, "expires_at", key.expires_at);
    out.raw_member("models", key.models);
    out.member("read_only", key.read_only);
    out.key("usage");
    out.begin_object();
    render_sum_members(out, used_this_month);
    out.end_object();
    if (!secret.empty()) {
        out.member("key", secret);
    }
    out.end_object();
}

Task<Result<std::string>> render_keys_of(Context& context, store::UserNo user) {
    CO_TRY(const auto keys, co_await context.store.list_keys(user));
    CO_TRY(const auto used, co_await context.store.list_usage_keys(user, store::month_of(base::unix_now())));
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "list");
    out.key("data");
    out.begin_array();
    for (const store::ApiKey& key : keys) {
        const auto its = std::ranges::find(used, key.id, &store::UsageOfKey::id);
        render_key(out, key, its == used.end() ? store::UsageSum() : its->sum, {});
    }
    out.end_array();
    out.end_object();
    co_return body;
}

}  // namespace confab::api
