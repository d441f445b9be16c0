// /api/auth/oidc/*: signing in with a provider of identities. The browser itself comes here, so every outcome is a page:
// trouble goes to the sign-in page as a code that the page has words for, never as words of the provider's.
#include <spdlog/spdlog.h>

#include "api/admission.hpp"
#include "api/routes.hpp"
#include "api/user_json.hpp"
#include "auth/openid.hpp"

namespace confab::api {

namespace {

using web::Access;

constexpr std::string_view kCallbackPath = "/api/auth/oidc/callback";
constexpr std::size_t kPlaceBytesMax = 512;

std::string_view attempt_cookie_name(const web::Request& request) {
    return request.secure ? "__Host-confab_oidc" : "confab_oidc";
}

std::string attempt_cookie(const web::Request& request, std::string_view value, std::int64_t max_age) {
    return std::string(attempt_cookie_name(request)) + "=" + std::string(value) +
           "; Path=/; HttpOnly; SameSite=Lax; Max-Age=" + std::to_string(max_age) + (request.secure ? "; Secure" : "");
}

Reply go_to(std::string url) {
    Reply reply;
    reply.status = 302;
    reply.content_type.clear();
    reply.headers.push_back({"location", std::move(url)});
    reply.headers.push_back({"cache-control", "no-store"});
    reply.headers.push_back({"referrer-policy", "no-referrer"});
    return reply;
}

// What went wrong in detail is for the log.
Reply go_to_trouble(web::Request& request, const base::Error& error) {
    request.audit.refusal = error.code.empty() ? "openid_refused" : error.code;
    spdlog::warn("openid_sign_in_refused id={} code={} reason=\"{}\"", request.id, error.code, error.message);
    return go_to("/login?problem=" + request.audit.refusal);
}

// A path of the page, and nothing that a browser could take for another site.
std::string safe_place(std::string_view place) {
    bool plain = place.starts_with('/') && !place.starts_with("//") && place.size() <= kPlaceBytesMax;
    for (const char c : place) {
        plain = plain && c > 0x20 && c < 0x7F && c != '\\';
    }
    return plain && !place.starts_with("/api/") ? std::string(place) : "/";
}

auto not_configured() {
    return base::not_found("Signing in with an identity provider is not configured here.", "openid_off");
}

Task<Result<Reply>> begin_openid(Context& context, Exchange& exchange) {
    if (context.openid == nullptr) {
        co_return not_configured();
    }
    web::Request& request = exchange.request();
    auth::OpenIdAttempt attempt;
    attempt.place = safe_place(request.query_value("to").value_or("/"));
    attempt.redirect_uri = std::string(request.secure ? "https://" : "http://") + std::string(request.header("host")) +
                           std::string(kCallbackPath);
    auto url = co_await context.openid->begin(attempt);
    if (!url) {
        co_return go_to_trouble(request, url.error());
    }
    Reply reply = go_to(*std::move(url));
    const std::string sealed = auth::seal_attempt(context.sealer, attempt);
    reply.headers.push_back({"set-cookie", attempt_cookie(request, sealed, auth::kAttemptMax)});
    co_return reply;
}

std::string query_text(const web::Request& request, std::string_view name) {
    return std::string(request.query_value(name).value_or(std::string_view()));
}

Task<Result<auth::SignedIn>> finish_openid(Context& context, const web::Request& request, auth::OpenIdAttempt attempt) {
    auth::OpenIdAnswer answer;
    answer.code = query_text(request, "code");
    answer.state = query_text(request, "state");
    answer.issuer = query_text(request, "iss");
    answer.error = query_text(request, "error");
    CO_TRY(auto person, co_await context.openid->finish(std::move(attempt), std::move(answer)));
    std::string agent(request.header("user-agent"));
    co_return co_await context.people.sign_in(std::move(person), std::move(agent));
}

Task<Result<Reply>> end_openid(Context& context, Exchange& exchange) {
    if (context.openid == nullptr) {
        co_return not_configured();
    }
    web::Request& request = exchange.request();
    request.audit.detail = "by the identity provider";
    auto attempt = auth::open_attempt(context.sealer, cookie(request, attempt_cookie_name(request)), base::unix_now());
    if (!attempt) {
        co_return go_to_trouble(request, attempt.error());
    }
    std::string place = attempt->place;
    const auto signed_in = co_await finish_openid(context, request, *std::move(attempt));
    Reply reply = signed_in ? go_to(std::move(place)) : go_to_trouble(request, signed_in.error());
    reply.headers.push_back({"set-cookie", attempt_cookie(request, "", 0)});
    if (signed_in) {
        request.audit.actor_no = static_cast<std::int64_t>(signed_in->user.no);
        reply.headers.push_back({"set-cookie", new_session_cookie(request, signed_in->token)});
    }
    co_return reply;
}

}  // namespace

void add_openid_routes(Routes& routes) {
    constexpr std::uint64_t kNoBody = 0;
    routes.add("GET", "/api/auth/oidc/start", Access::open, begin_openid, kNoBody);
    routes.add_audited("GET", std::string(kCallbackPath), Access::open, end_openid, "sign_in").body_bytes_max = kNoBody;
}

}  // namespace confab::api
