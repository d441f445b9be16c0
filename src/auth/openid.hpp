// OpenIdProvider: signing in with a provider of identities by OpenID Connect's authorisation code flow, with PKCE
// (RFC 7636), state, nonce and the issuer in the answer (RFC 9207).
//
// One for the process, on its home shard, with that shard's HTTP client. What the provider says of itself and its keys
// are fetched when they are first needed and kept for an hour; a key that is not known has them fetched once more, at most
// every kKeysAgainAfter. Every request has a deadline and a largest answer; redirects are not followed.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "auth/external_people.hpp"
#include "auth/id_token.hpp"
#include "auth/openid_attempt.hpp"
#include "auth/sign_in_options.hpp"
#include "net/http_client.hpp"

namespace confab::auth {

// https, or http to this machine; nothing that a reader could take for another host. `invalid_request` (param).
base::Status check_provider_url(std::string_view url, std::string_view param);

// What the provider sent the browser back with.
struct OpenIdAnswer {
    std::string code;
    std::string state;
    std::string issuer;  // "iss"; empty: not told
    std::string error;   // instead of a code
};

class OpenIdProvider {
public:
    static constexpr std::chrono::seconds kAnswerMax{10};         // for each request to the provider
    static constexpr std::uint64_t kAnswerBytesMax = 256 * 1024;  // of each
    static constexpr std::chrono::minutes kKept{60};              // what the provider says of itself
    static constexpr std::chrono::seconds kKeysAgainAfter{30};    // at the earliest, for a key that is not known
    static constexpr std::chrono::seconds kFailureKept{2};        // a provider that does not answer is left alone
    static constexpr unsigned kAtOnce = 16;                       // people who come back at the same time
    static constexpr std::size_t kUsedStatesMax = 10'000;         // the oldest are forgotten first

    OpenIdProvider(net::Executor home, net::HttpClient& client, const OpenIdOptions& options)
        : home_(home), client_(client), options_(options) {}

    // Where to send the browser. `attempt` has its redirect_uri and place; the rest is made here. From any shard, as all
    // calls. Errors: upstream_failed (openid_unreachable, openid_provider).
    Task<Result<std::string>> begin(OpenIdAttempt& attempt);

    // Who came back. Errors: forbidden (openid_state, openid_cancelled, openid_refused, openid_token), upstream_failed,
    // unavailable (openid_busy).
    Task<Result<ExternalPerson>> finish(OpenIdAttempt attempt, OpenIdAnswer answer);

    const OpenIdOptions& options() const { return options_; }

private:
    // What the provider says of itself (OpenID Connect Discovery 1.0).
    struct Description {
        std::string authorization_endpoint;
        std::string token_endpoint;
        std::string userinfo_endpoint;  // empty: none
        std::string jwks_uri;
        bool secret_in_body = false;  // it does not take HTTP's basic authentication
        bool tells_issuer = false;    // in its answers
    };

    struct Tokens {
        std::string id_token;
        std::string access_token;
    };

    Task<Result<std::string>> begin_here(std::string state, std::string nonce, std::string challenge, std::string uri);
    Task<Result<ExternalPerson>> finish_here(OpenIdAttempt attempt, OpenIdAnswer answer);
    Task<Result<ExternalPerson>> exchange(OpenIdAttempt attempt, OpenIdAnswer answer);
    Task<Status> describe();
    Result<Description> read_description(const base::json::object& document) const;
    Task<Status> fetch_keys();
    Task<Result<Tokens>> redeem(const OpenIdAttempt& attempt, const std::string& code);
    Task<Result<base::json::object>> verify(const std::string& token, IdTokenRules rules);
    Task<Status> add_user_info(base::json::object& claims, const std::string& access_token);
    Task<Result<base::json::object>> fetch(net::HttpRequest request);
    Status take_state(const std::string& state);
    ExternalPerson person_of(const base::json::object& claims) const;

    const net::Executor home_;
    net::HttpClient& client_;
    const OpenIdOptions options_;
    Description description_;
    net::Deadline described_until_ = net::Deadline::after({});
    net::Deadline not_before_ = net::Deadline::after({});  // after a failure
    std::vector<ProviderKey> keys_;
    net::Deadline keys_until_ = net::Deadline::after({});
    net::Deadline keys_again_ = net::Deadline::after({});
    unsigned busy_ = 0;
    std::unordered_set<std::string> used_;
    std::deque<std::string> used_in_order_;
};

}  // namespace confab::auth
