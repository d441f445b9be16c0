// /api/shares: one's own conversations that others may read by a link.
#include "api/body.hpp"
#include "api/routes.hpp"
#include "api/sharing.hpp"
#include "api/user_json.hpp"
#include "auth/tokens.hpp"
#include "base/clock.hpp"

namespace confab::api {

namespace {

using web::Access;

constexpr std::string_view kSharePath = "/share#";  // the token follows: a fragment is not sent to any server
constexpr std::int64_t kShareDaysDefault = 30;
constexpr std::int64_t kShareDaysMax = 3'650;
constexpr std::int64_t kDaySeconds = 24 * 3'600;

// The token is known only to the call that made it.
void render_share(std::string& body, const store::Share& share, std::string_view token = {}) {
    base::JsonWriter out(body);
    out.begin_object();
    out.member("id", share.id.str());
    out.member("object", "share");
    out.member("conversation_id", share.conversation.str());
    out.member("title", share.title);
    out.member("created_at", share.created_at);
    out.key("expires_at");
    if (share.expires_at) {
        out.value(*share.expires_at);
        out.member("expired", *share.expires_at <= base::unix_now());
    } else {
        out.value(nullptr);
        out.member("expired", false);
    }
    if (!token.empty()) {
        out.member("token", token);
        out.member("path", std::string(kSharePath) + std::string(token));
    }
    out.end_object();
}

// Absent: the default; null: never.
Result<std::optional<store::UnixSeconds>> parse_share_end(const json::object& object, store::UnixSeconds now) {
    const json::value* given = object.if_contains("expires_in_days");
    if (given != nullptr && given->is_null()) {
        return std::nullopt;
    }
    TRY(const auto days, Fields(object).integer("expires_in_days", 1, kShareDaysMax));
    return std::optional(now + days.value_or(kShareDaysDefault) * kDaySeconds);
}

Task<Result<Reply>> create_share(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ConversationId>(exchange.request(), 0, "Conversation"));
    CO_TRY(const auto object, parse_body(exchange.request()));
    const std::string token = auth::random_token();
    store::NewShare wanted;
    wanted.id = store::ShareId::make();
    wanted.token_hash = auth::sha256(token);
    wanted.created_at = base::unix_now();
    CO_TRY(wanted.expires_at, parse_share_end(object, wanted.created_at));
    CO_TRY(const auto made, co_await context.store.create_share(user_of(exchange), id, wanted));
    std::string body;
    render_share(body, made, token);
    exchange.request().audit.object = made.id.str();
    exchange.request().audit.detail = made.conversation.str();
    co_return web::json_reply(std::move(body), 201);
}

Task<Result<Reply>> list_shares(Context& context, Exchange& exchange) {
    const web::Request& request = exchange.request();
    CO_TRY(const auto page, parse_page<store::ShareId>(request));
    std::optional<store::ConversationId> conversation;
    if (const auto text = request.query_value("conversation")) {
        conversation = store::ConversationId::parse(*text);
        if (!conversation) {
            co_return base::not_found("Conversation with id '" + std::string(*text) + "' not found.");
        }
    }
    CO_TRY(const auto found, co_await context.store.list_shares(user_of(exchange), conversation, page));
    const auto render = [](std::string& out, const store::Share& row) { render_share(out, row); };
    co_return web::json_reply(render_list(found, render));
}

Task<Result<Reply>> revoke_share(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ShareId>(exchange.request(), 0, "Share"));
    CO_TRY_VOID(co_await context.store.delete_share(user_of(exchange), id));
    co_return deleted_reply(id.str());
}

}  // namespace

Task<Result<bool>> sharing_allowed(Context& context) {
    CO_TRY(const auto value, co_await context.store.get_setting(std::string(store::kSettingSharing)));
    co_return value != "off";
}

// With the cookie only: a stolen key must not be able to publish.
void add_share_routes(Routes& routes) {
    routes.add_audited("POST", "/api/conversations/{id}/shares", Access::cookie_user, create_share, "share_made");
    routes.add("GET", "/api/shares", Access::cookie_user, list_shares);
    routes.add_audited("DELETE", "/api/shares/{id}", Access::cookie_user, revoke_share, "share_revoked");
}

}  // namespace confab::api
