#include "auth/openid.hpp"

#include <algorithm>
#include <array>

#include <spdlog/spdlog.h>

#include "auth/tokens.hpp"
#include "base/base64.hpp"
#include "base/text.hpp"

namespace confab::auth {

namespace {

namespace json = base::json;

using base::Errc;
using base::fail;

constexpr std::size_t kUrlBytesMax = 2'000;
constexpr std::size_t kCodeBytesMax = 4'096;
constexpr std::size_t kRolesMax = 200;

// The answer, whole: it is small.
class WholeAnswer final : public net::HttpSink {
public:
    void on_head(const net::HttpHead& /*head*/) override {}

    net::Flow on_body(std::string_view bytes) override {
        text += bytes;  // bounded by HttpRequest::body_bytes_max
        return net::Flow::go_on;
    }

    std::string text;
};

// RFC 3986: what is not unreserved is escaped.
std::string escape(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string result;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '.' || c == '_' || c == '~';
        if (plain) {
            result += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            result += '%';
            result += kDigits[byte >> 4];
            result += kDigits[byte & 15];
        }
    }
    return result;
}

void add_parameter(std::string& form, std::string_view name, std::string_view value) {
    const bool first = form.empty() || form.ends_with('?') || form.ends_with('&');
    form.append(first ? "" : "&").append(name).append("=").append(escape(value));
}

auto wrong_provider(std::string what) {
    return fail(Errc::upstream_failed, std::move(what), "openid_provider");
}

bool names(const json::object& document, std::string_view list, std::string_view value) {
    const json::value* found = base::find(document, list);
    return found != nullptr && found->is_array() &&
           std::ranges::any_of(found->as_array(), [value](const json::value& one) {
               return one.is_string() && one.as_string() == value;
           });
}

bool is_true(const json::object& object, std::string_view name) {
    const json::value* value = base::find(object, name);
    return value != nullptr && value->is_bool() && value->as_bool();
}

// The claim of this name, or what its parts lead to: "realm_access.roles".
const json::value* find_claim(const json::object& claims, std::string_view name) {
    if (const json::value* value = base::find(claims, name)) {
        return value;
    }
    const auto dot = name.find('.');
    if (dot == std::string_view::npos) {
        return nullptr;
    }
    const json::value* inner = base::find(claims, name.substr(0, dot));
    return inner != nullptr && inner->is_object() ? find_claim(inner->as_object(), name.substr(dot + 1)) : nullptr;
}

std::vector<std::string> texts_of(const json::value* value) {
    std::vector<std::string> texts;
    if (value != nullptr && value->is_string()) {
        texts.emplace_back(value->as_string());
    }
    if (value != nullptr && value->is_array()) {
        for (const json::value& one : value->as_array()) {
            if (one.is_string() && texts.size() < kRolesMax) {
                texts.emplace_back(one.as_string());
            }
        }
    }
    return texts;
}

}  // namespace

base::Status check_provider_url(std::string_view url, std::string_view param) {
    const bool plain = std::ranges::all_of(url, [](char c) { return c > 0x20 && c < 0x7F && c != '\\' && c != '#'; });
    const bool https = url.starts_with("https://");
    const std::string_view rest = url.substr(std::min(url.size(), https ? sizeof "https://" - 1 : sizeof "http://" - 1));
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
    bool here = false;
    for (const std::string_view host : {"127.0.0.1", "localhost", "[::1]"}) {
        here = here || authority == host || (authority.starts_with(host) && authority.substr(host.size()).starts_with(':'));
    }
    const bool known = https || (url.starts_with("http://") && here);
    if (!plain || !known || authority.empty() || authority.contains('@') || url.size() > kUrlBytesMax) {
        return base::invalid(
            std::string(param), std::string(param) + " is an https:// URL; http:// is for a provider on this machine."
        );
    }
    return {};
}

// ---- asking the provider ----

Task<Result<json::object>> OpenIdProvider::fetch(net::HttpRequest request) {
    request.deadline = net::Deadline::after(kAnswerMax);
    request.body_bytes_max = kAnswerBytesMax;
    request.headers.emplace_back("Accept: application/json");
    const std::string url = request.url;
    WholeAnswer sink;
    net::HttpCall call(client_, std::move(request), sink);
    const auto head = co_await call.send();
    if (!head) {
        co_return fail(Errc::upstream_failed, url + ": " + head.error().message, "openid_unreachable");
    }
    auto value = base::parse_json(sink.text);
    if (head->status >= 500 || !value || !value->is_object()) {
        co_return wrong_provider(url + " answered with status " + std::to_string(head->status));
    }
    if (head->status != 200) {
        const std::string_view why = base::find_string(value->as_object(), "error");
        co_return fail(Errc::forbidden, url + " refused: " + std::string(why.substr(0, 100)), "openid_refused");
    }
    co_return std::move(value->as_object());
}

Result<OpenIdProvider::Description> OpenIdProvider::read_description(const json::object& document) const {
    if (base::find_string(document, "issuer") != options_.issuer) {
        return wrong_provider("the provider calls itself by another name than " + options_.issuer);
    }
    Description found;
    found.authorization_endpoint = base::find_string(document, "authorization_endpoint");
    found.token_endpoint = base::find_string(document, "token_endpoint");
    found.userinfo_endpoint = base::find_string(document, "userinfo_endpoint");
    found.jwks_uri = base::find_string(document, "jwks_uri");
    const std::string& info = found.userinfo_endpoint.empty() ? found.token_endpoint : found.userinfo_endpoint;
    for (const std::string_view url :
         {std::string_view(found.authorization_endpoint), std::string_view(found.token_endpoint),
          std::string_view(found.jwks_uri), std::string_view(info)}) {
        if (!check_provider_url(url, "an address of the provider")) {
            return wrong_provider("the provider names an address that is not gone to");
        }
    }
    constexpr std::string_view kMethods = "token_endpoint_auth_methods_supported";
    found.secret_in_body =
        names(document, kMethods, "client_secret_post") && !names(document, kMethods, "client_secret_basic");
    found.tells_issuer = is_true(document, "authorization_response_iss_parameter_supported");
    return found;
}

Task<Status> OpenIdProvider::describe() {
    if (!described_until_.passed()) {
        co_return Status{};
    }
    if (!not_before_.passed()) {
        co_return fail(Errc::upstream_failed, "the provider did not answer a moment ago", "openid_unreachable");
    }
    std::string root = options_.issuer;
    while (root.ends_with('/')) {
        root.pop_back();
    }
    net::HttpRequest request;
    request.url = root + "/.well-known/openid-configuration";
    const auto document = co_await fetch(std::move(request));
    if (!document) {
        not_before_ = net::Deadline::after(kFailureKept);
        co_return std::unexpected(document.error());
    }
    CO_TRY(description_, read_description(*document));
    described_until_ = net::Deadline::after(kKept);
    keys_until_ = net::Deadline::after({});
    co_return Status{};
}

Task<Status> OpenIdProvider::fetch_keys() {
    keys_again_ = net::Deadline::after(kKeysAgainAfter);
    net::HttpRequest request;
    request.url = description_.jwks_uri;
    CO_TRY(const auto key_set, co_await fetch(std::move(request)));
    CO_TRY(keys_, parse_provider_keys(key_set));
    keys_until_ = net::Deadline::after(kKept);
    co_return Status{};
}

// ---- going there ----

Task<Result<std::string>> OpenIdProvider::begin(OpenIdAttempt& attempt) {
    attempt.state = random_token();
    attempt.nonce = random_token();
    attempt.verifier = random_token();
    attempt.begun_at = base::unix_now();
    const store::Sha256 hash = sha256(attempt.verifier);
    std::string challenge = base64url({reinterpret_cast<const char*>(hash.data()), hash.size()});
    co_return co_await net::run_on(
        home_, begin_here(attempt.state, attempt.nonce, std::move(challenge), attempt.redirect_uri)
    );
}

Task<Result<std::string>> OpenIdProvider::begin_here(
    std::string state,
    std::string nonce,
    std::string challenge,
    std::string uri
) {
    CO_TRY_VOID(co_await describe());
    std::string url = description_.authorization_endpoint;
    url += url.contains('?') ? "&" : "?";
    add_parameter(url, "response_type", "code");
    add_parameter(url, "client_id", options_.client_id);
    add_parameter(url, "redirect_uri", uri);
    add_parameter(url, "scope", options_.scope);
    add_parameter(url, "state", state);
    add_parameter(url, "nonce", nonce);
    add_parameter(url, "code_challenge", challenge);
    add_parameter(url, "code_challenge_method", "S256");
    co_return url;
}

// ---- coming back ----

// Each answer counts once, also when a provider would take its code twice.
Status OpenIdProvider::take_state(const std::string& state) {
    if (!used_.insert(state).second) {
        return fail(Errc::forbidden, "the answer was used before", "openid_state");
    }
    used_in_order_.push_back(state);
    if (used_in_order_.size() > kUsedStatesMax) {
        used_.erase(used_in_order_.front());
        used_in_order_.pop_front();
    }
    return {};
}

Task<Result<ExternalPerson>> OpenIdProvider::finish(OpenIdAttempt attempt, OpenIdAnswer answer) {
    co_return co_await net::run_on(home_, finish_here(std::move(attempt), std::move(answer)));
}

Task<Result<ExternalPerson>> OpenIdProvider::finish_here(OpenIdAttempt attempt, OpenIdAnswer answer) {
    if (attempt.state.empty() || !equal_secret(attempt.state, answer.state)) {
        co_return fail(Errc::forbidden, "the answer belongs to another attempt", "openid_state");
    }
    CO_TRY_VOID(take_state(attempt.state));
    if (busy_ >= kAtOnce) {
        co_return fail(Errc::unavailable, "Too many people sign in at once. Try again.", "openid_busy");
    }
    ++busy_;
    auto person = co_await exchange(std::move(attempt), std::move(answer));
    --busy_;
    co_return person;
}

Task<Result<ExternalPerson>> OpenIdProvider::exchange(OpenIdAttempt attempt, OpenIdAnswer answer) {
    CO_TRY_VOID(co_await describe());
    if (answer.issuer.empty() ? description_.tells_issuer : answer.issuer != options_.issuer) {
        co_return fail(Errc::forbidden, "the answer is another issuer's", "openid_state");
    }
    if (!answer.error.empty() || answer.code.empty() || answer.code.size() > kCodeBytesMax) {
        const bool cancelled = answer.error == "access_denied";
        co_return fail(
            Errc::forbidden, "the provider said: " + answer.error.substr(0, 100), cancelled ? "openid_cancelled" : "openid_refused"
        );
    }
    CO_TRY(const Tokens tokens, co_await redeem(attempt, answer.code));
    IdTokenRules rules;
    rules.issuer = options_.issuer;
    rules.client_id = options_.client_id;
    rules.nonce = attempt.nonce;
    CO_TRY(auto claims, co_await verify(tokens.id_token, std::move(rules)));
    CO_TRY_VOID(co_await add_user_info(claims, tokens.access_token));
    co_return person_of(claims);
}

Task<Result<OpenIdProvider::Tokens>> OpenIdProvider::redeem(const OpenIdAttempt& attempt, const std::string& code) {
    net::HttpRequest request;
    request.method = "POST";
    request.url = description_.token_endpoint;
    request.headers.emplace_back("Content-Type: application/x-www-form-urlencoded");
    std::string form;
    add_parameter(form, "grant_type", "authorization_code");
    add_parameter(form, "code", code);
    add_parameter(form, "redirect_uri", attempt.redirect_uri);
    add_parameter(form, "code_verifier", attempt.verifier);
    if (options_.client_secret.empty() || description_.secret_in_body) {
        add_parameter(form, "client_id", options_.client_id);
    }
    if (!options_.client_secret.empty() && description_.secret_in_body) {
        add_parameter(form, "client_secret", options_.client_secret);
    } else if (!options_.client_secret.empty()) {
        const std::string both = escape(options_.client_id) + ":" + escape(options_.client_secret);  // RFC 6749, 2.3.1
        request.headers.push_back("Authorization: Basic " + base::base64_encode(both));
    }
    request.body.text = std::move(form);
    CO_TRY(const auto answer, co_await fetch(std::move(request)));
    Tokens tokens;
    tokens.id_token = base::find_string(answer, "id_token");
    tokens.access_token = base::find_string(answer, "access_token");
    co_return tokens;
}

Task<Result<json::object>> OpenIdProvider::verify(const std::string& token, IdTokenRules rules) {
    if (keys_until_.passed()) {
        CO_TRY_VOID(co_await fetch_keys());
    }
    auto claims = verify_id_token(token, keys_, rules, base::unix_now());
    if (!claims && claims.error().code == "openid_key_unknown" && keys_again_.passed()) {
        CO_TRY_VOID(co_await fetch_keys());
        claims = verify_id_token(token, keys_, rules, base::unix_now());
    }
    if (!claims && claims.error().code == "openid_key_unknown") {
        co_return fail(Errc::forbidden, claims.error().message, "openid_token");
    }
    co_return claims;
}

// Many providers put no more than the subject into the token. What it says counts before what is asked for here.
Task<Status> OpenIdProvider::add_user_info(json::object& claims, const std::string& access_token) {
    const bool wants_role = !options_.role_claim.empty() && find_claim(claims, options_.role_claim) == nullptr;
    const bool wanting = wants_role || base::find(claims, "email") == nullptr;
    const bool plain = std::ranges::all_of(access_token, [](char c) { return c > 0x20 && c < 0x7F; });
    if (!wanting || description_.userinfo_endpoint.empty() || access_token.empty() || !plain) {
        co_return Status{};
    }
    net::HttpRequest request;
    request.url = description_.userinfo_endpoint;
    request.headers.push_back("Authorization: Bearer " + access_token);
    CO_TRY(const auto told, co_await fetch(std::move(request)));
    if (base::find_string(told, "sub") != base::find_string(claims, "sub")) {
        co_return fail(Errc::forbidden, "the provider tells about somebody else", "openid_token");
    }
    // An address and its being verified belong together.
    const bool own_address = base::find(claims, "email") != nullptr;
    if (!own_address) {
        claims.erase("email_verified");
    }
    for (const auto& member : told) {
        const std::string_view name(member.key().data(), member.key().size());
        if (!(own_address && name == "email_verified")) {
            claims.emplace(member.key(), member.value());  // unless it is there
        }
    }
    co_return Status{};
}

ExternalPerson OpenIdProvider::person_of(const json::object& claims) const {
    ExternalPerson person;
    person.identity.issuer = options_.issuer;
    person.identity.subject = base::find_string(claims, "sub");
    person.email = base::find_string(claims, "email");
    person.email_verified = is_true(claims, "email_verified");
    person.name = base::find_string(claims, "name");
    if (!options_.role_claim.empty()) {
        person.roles = texts_of(find_claim(claims, options_.role_claim));
    }
    return person;
}

}  // namespace confab::auth
