// ID tokens (OpenID Connect Core 1.0, sections 2 and 3.1.3.7): a provider's signed word on who somebody is.
//
// The signature is checked by libcjose; what it may be made with, and what must stand in the token, is decided here. Only
// asymmetric algorithms are known, and a key is used only for the algorithms of its own type: neither `none` nor a
// public key taken for a shared secret says anything.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"

namespace confab::auth {

inline constexpr std::size_t kIdTokenBytesMax = 16 * 1024;
inline constexpr std::size_t kProviderKeysMax = 64;        // of one provider
inline constexpr std::int64_t kClockDifferenceMax = 60;    // seconds between the provider's clock and ours
inline constexpr std::size_t kSubjectBytesMax = 255;       // Core, section 2

// A public key of the provider (RFC 7517).
struct ProviderKey {
    std::string id;         // "kid"; may be empty
    std::string type;       // RSA, EC
    std::string algorithm;  // empty: any of its type
    std::string text;       // the key as JSON
};

// Those of a key set that can check signatures. Error: upstream_failed (openid_keys).
base::Result<std::vector<ProviderKey>> parse_provider_keys(const base::json::object& key_set);

// What a token must fit.
struct IdTokenRules {
    std::string issuer;
    std::string client_id;
    std::string nonce;
};

// The claims of a token that is signed by one of the keys and fits. Errors: forbidden (openid_token), whose message says
// for the log what is wrong; not_found (openid_key_unknown) when its key is none of these.
base::Result<base::json::object> verify_id_token(
    std::string_view token,
    const std::vector<ProviderKey>& keys,
    const IdTokenRules& rules,
    std::int64_t now
);

}  // namespace confab::auth
