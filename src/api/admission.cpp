#include "api/admission.hpp"

#include <algorithm>

#include "api/overload.hpp"
#include "api/rate_limits.hpp"
#include "base/text.hpp"

namespace confab::api {

namespace {

using base::Errc;
using base::fail;
using base::Status;
using web::Access;
using web::Carrier;

bool is_safe(const std::string& method) {
    return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

// The Origin header names this very server: scheme and Host agree.
bool origin_matches(const web::Request& request) {
    const std::string_view origin = request.header("origin");
    const std::string_view host = request.header("host");
    return origin == "http://" + std::string(host) || origin == "https://" + std::string(host);
}

// A browser sends cookies with requests that other sites make; it also says so. A request with a cookie must show where
// it is from; one without may keep silent (a program), but not come from elsewhere.
Status check_site(const web::Request& request) {
    const std::string_view site = request.header("sec-fetch-site");
    const bool has_origin = request.has_header("origin");
    const bool same_site = site == "same-origin" || site == "none";
    const bool silent = site.empty() && !has_origin;
    const bool allowed = silent ? !web::is_ambient(request.caller.carrier)
                                : (site.empty() || same_site) && (!has_origin || origin_matches(request));
    if (!allowed) {
        return fail(
            Errc::forbidden,
            "This request did not come from Confab's own page. Programs use an API key instead of the cookie.",
            "cross_site_request"
        );
    }
    return {};
}

void set_caller(web::Request& request, Carrier carrier, const auth::Identity& identity) {
    request.caller.carrier = carrier;
    request.caller.user_no = static_cast<std::int64_t>(identity.user.no);
    request.caller.admin = identity.user.role == store::Role::admin;
    request.caller.session_id = identity.session ? identity.session->str() : std::string();
    request.caller.key_id = identity.key ? identity.key->str() : std::string();
    request.caller.models = identity.scope.models;
}

// In the word of a trusted proxy; empty when it says nothing. What anybody else says is not looked at. A header that came
// twice was added to by a visitor, and one of them is not the proxy's.
Result<std::string_view> vouched_address(const SignInOptions& options, const web::Request& request) {
    if (options.trusted_header.empty() || !request.from_proxy) {
        return std::string_view();
    }
    if (std::ranges::count(request.headers, options.trusted_header, &web::Header::name) > 1) {
        return fail(
            Errc::unauthenticated, "The header by which the proxy says who you are came twice.", "trusted_header_doubled"
        );
    }
    return base::trim(request.header(options.trusted_header));
}

// A server for one person is not to be put on the network, by a proxy or a tunnel.
Status check_directness(const web::Request& request) {
    if (request.has_header("x-forwarded-for") || request.has_header("forwarded")) {
        return fail(
            Errc::forbidden,
            "This Confab is for one person on this machine (--single-user) and answers no proxy. Start it without that.",
            "single_user_behind_proxy"
        );
    }
    return {};
}

Task<Result<auth::Identity>> identify(Context& context, web::Request& request) {
    const std::string_view authorization = request.header("authorization");
    if (request.has_header("authorization")) {
        if (authorization.size() < 7 || !base::iequals(authorization.substr(0, 7), "bearer ")) {
            co_return fail(
                Errc::unauthenticated, "Send the API key as 'Authorization: Bearer sk-...'.", "invalid_api_key"
            );
        }
        CO_TRY(auto identity, co_await context.authenticator.by_key(base::trim(authorization.substr(7))));
        set_caller(request, Carrier::bearer, identity);
        co_return identity;
    }
    if (context.sign_in.single_user) {
        CO_TRY_VOID(check_directness(request));
        CO_TRY(auto identity, co_await context.authenticator.only_person());
        set_caller(request, Carrier::local, identity);
        co_return identity;
    }
    CO_TRY(const auto address, vouched_address(context.sign_in, request));
    if (!address.empty()) {
        CO_TRY(auto identity, co_await context.authenticator.by_address(address));
        set_caller(request, Carrier::proxy, identity);
        co_return identity;
    }
    const std::string_view token = cookie(request, session_cookie_name(request));
    CO_TRY(auto identity, co_await context.authenticator.by_session(token));
    set_caller(request, Carrier::cookie, identity);
    co_return identity;
}

Status check_access(const web::Request& request, Access access, const auth::KeyScope& scope) {
    const bool cookie_only = access == Access::cookie_user || access == Access::admin;
    if (cookie_only && !web::is_ambient(request.caller.carrier)) {
        return fail(Errc::forbidden, "This takes a signed-in person, not an API key.", "cookie_required");
    }
    if (scope.read_only && !is_safe(request.method)) {
        return fail(Errc::forbidden, "This API key may only look, and change nothing.", "key_read_only");
    }
    if (access == Access::admin && !request.caller.admin) {
        return fail(Errc::forbidden, "Only administrators may do this.", "admin_required");
    }
    return {};
}

}  // namespace

std::string_view cookie(const web::Request& request, std::string_view name) {
    for (const web::Header& header : request.headers) {
        if (header.name != "cookie") {
            continue;
        }
        std::string_view rest = header.value;
        while (!rest.empty()) {
            const auto end = rest.find(';');
            const std::string_view pair = base::trim(rest.substr(0, end));
            rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
            if (pair.starts_with(name) && pair.substr(name.size()).starts_with('=')) {
                return pair.substr(name.size() + 1);
            }
        }
    }
    return {};
}

Task<Status> admit(Context& context, web::Request& request, const web::Route& route) {
    const web::Load load = load_of(request, route);
    CO_TRY_VOID(check_pressure(context, load));
    auth::Entitled entitled;
    if (route.access != Access::open) {
        CO_TRY(auto identity, co_await identify(context, request));
        CO_TRY_VOID(check_access(request, route.access, identity.scope));
        entitled = std::move(identity.entitled);
    }
    if (!is_safe(request.method) && request.caller.carrier != Carrier::bearer) {
        CO_TRY_VOID(check_site(request));
    }
    if (route.makes_answer) {
        CO_TRY_VOID(begin_answer(request, entitled));
    }
    co_return co_await check_quota(context, request, load);
}

}  // namespace confab::api
