#include "auth/id_token.hpp"

#include <algorithm>
#include <array>
#include <memory>

#include <cjose/cjose.h>

namespace confab::auth {

namespace {

namespace json = base::json;

using base::Result;
using base::Status;

constexpr std::size_t kModulusCharsMin = 342;  // base64 of the 2,048 bits that an RSA key must have at least

struct Algorithm {
    std::string_view name;
    std::string_view key_type;
    std::string_view curve;  // of an EC key
};

// Those of RFC 7518 that are signatures. HS256 and its like are no signatures: whoever can check one can make one.
constexpr std::array kAlgorithms{
    Algorithm{"RS256", "RSA", ""}, Algorithm{"RS384", "RSA", ""},     Algorithm{"RS512", "RSA", ""},
    Algorithm{"PS256", "RSA", ""}, Algorithm{"PS384", "RSA", ""},     Algorithm{"PS512", "RSA", ""},
    Algorithm{"ES256", "EC", "P-256"}, Algorithm{"ES384", "EC", "P-384"}, Algorithm{"ES512", "EC", "P-521"},
};

struct FreeJws {
    void operator()(cjose_jws_t* jws) const { cjose_jws_release(jws); }
};

struct FreeJwk {
    void operator()(cjose_jwk_t* jwk) const { cjose_jwk_release(jwk); }
};

using Jws = std::unique_ptr<cjose_jws_t, FreeJws>;
using Jwk = std::unique_ptr<cjose_jwk_t, FreeJwk>;

std::unexpected<base::Error> wrong_token(std::string what) {
    return base::fail(base::Errc::forbidden, std::move(what), "openid_token");
}

std::string header_text(cjose_header_t* header, const char* name) {
    cjose_err ignored{};
    const char* value = cjose_header_get(header, name, &ignored);
    return value == nullptr ? std::string() : std::string(value);
}

Result<Algorithm> read_algorithm(cjose_header_t* header) {
    const std::string name = header_text(header, CJOSE_HDR_ALG);
    const auto* const known = std::ranges::find(kAlgorithms, std::string_view(name), &Algorithm::name);
    if (known == kAlgorithms.end()) {
        return wrong_token("its algorithm is not one that is trusted");
    }
    return *known;
}

// With a name, the key of that name; without, the only one that can be meant.
Result<const ProviderKey*> choose_key(
    const std::vector<ProviderKey>& keys,
    const std::string& id,
    const Algorithm& algorithm
) {
    const ProviderKey* chosen = nullptr;
    for (const ProviderKey& key : keys) {
        const bool fits = key.type == algorithm.key_type && (key.algorithm.empty() || key.algorithm == algorithm.name);
        if (!fits || (!id.empty() && key.id != id)) {
            continue;
        }
        if (chosen != nullptr) {
            return wrong_token("more than one key could have signed it");
        }
        chosen = &key;
    }
    if (chosen == nullptr) {
        return base::not_found("no key of the provider fits it", "openid_key_unknown");
    }
    return chosen;
}

// The curve belongs to the algorithm; libcjose compares lengths only.
bool curve_fits(const ProviderKey& key, const Algorithm& algorithm) {
    if (algorithm.curve.empty()) {
        return true;
    }
    const auto parsed = base::parse_json(key.text);
    return parsed && base::find_string(parsed->as_object(), "crv") == algorithm.curve;
}

Result<std::string> verified_payload(std::string_view token, const std::vector<ProviderKey>& keys) {
    cjose_err problem{};
    const Jws jws(cjose_jws_import(token.data(), token.size(), &problem));
    if (!jws) {
        return wrong_token("it is not a signed token");
    }
    cjose_header_t* const header = cjose_jws_get_protected(jws.get());
    cjose_err ignored{};
    char* const critical = cjose_header_get_raw(header, "crit", &ignored);
    if (critical != nullptr) {
        cjose_get_dealloc()(critical);
        return wrong_token("it asks for an extension");
    }
    TRY(const Algorithm algorithm, read_algorithm(header));
    TRY(const ProviderKey* key, choose_key(keys, header_text(header, CJOSE_HDR_KID), algorithm));
    const Jwk jwk(cjose_jwk_import(key->text.data(), key->text.size(), &problem));
    if (!jwk || !curve_fits(*key, algorithm)) {
        return wrong_token("its key cannot be used");
    }
    if (!cjose_jws_verify(jws.get(), jwk.get(), &problem)) {
        return wrong_token("its signature is wrong");
    }
    std::uint8_t* bytes = nullptr;
    std::size_t size = 0;
    if (!cjose_jws_get_plaintext(jws.get(), &bytes, &size, &problem)) {
        return wrong_token("it is empty");
    }
    return std::string(reinterpret_cast<const char*>(bytes), size);
}

// Seconds since 1970; nothing when absent or no number.
std::optional<std::int64_t> time_claim(const json::object& claims, std::string_view name) {
    const json::value* value = base::find(claims, name);
    if (value == nullptr || !value->is_number()) {
        return std::nullopt;
    }
    boost::system::error_code ec;
    const auto whole = value->to_number<std::int64_t>(ec);
    return ec ? std::nullopt : std::optional(whole);
}

// For this client, and, if for others too, made for this one.
bool audience_fits(const json::object& claims, const std::string& client_id) {
    const json::value* audience = base::find(claims, "aud");
    const json::value* party = base::find(claims, "azp");
    if (audience == nullptr || (party != nullptr && (!party->is_string() || party->as_string() != client_id))) {
        return false;
    }
    if (audience->is_string()) {
        return audience->as_string() == client_id;
    }
    if (!audience->is_array()) {
        return false;
    }
    const auto& list = audience->as_array();
    const bool named = std::ranges::any_of(list, [&](const json::value& one) {
        return one.is_string() && one.as_string() == client_id;
    });
    return named && (list.size() == 1 || party != nullptr);
}

Status check_claims(const json::object& claims, const IdTokenRules& rules, std::int64_t now) {
    if (base::find_string(claims, "iss") != rules.issuer) {
        return wrong_token("it is another issuer's");
    }
    if (!audience_fits(claims, rules.client_id)) {
        return wrong_token("it is for somebody else");
    }
    const auto expires = time_claim(claims, "exp");
    const auto issued = time_claim(claims, "iat");
    if (!expires || *expires <= now - kClockDifferenceMax) {
        return wrong_token("it has expired");
    }
    if (!issued || *issued > now + kClockDifferenceMax ||
        time_claim(claims, "nbf").value_or(now) > now + kClockDifferenceMax) {
        return wrong_token("it is from the future");
    }
    if (rules.nonce.empty() || base::find_string(claims, "nonce") != rules.nonce) {
        return wrong_token("its nonce is another one");
    }
    const std::string_view subject = base::find_string(claims, "sub");
    if (subject.empty() || subject.size() > kSubjectBytesMax) {
        return wrong_token("it names nobody");
    }
    return {};
}

}  // namespace

Result<std::vector<ProviderKey>> parse_provider_keys(const json::object& key_set) {
    std::vector<ProviderKey> keys;
    const json::value* list = base::find(key_set, "keys");
    if (list == nullptr || !list->is_array() || list->as_array().size() > kProviderKeysMax) {
        return base::fail(base::Errc::upstream_failed, "the provider's key set is none", "openid_keys");
    }
    for (const json::value& one : list->as_array()) {
        if (!one.is_object()) {
            continue;
        }
        const auto& object = one.as_object();
        ProviderKey key;
        key.id = base::find_string(object, "kid");
        key.type = base::find_string(object, "kty");
        key.algorithm = base::find_string(object, "alg");
        key.text = base::to_string(one);
        const std::string_view use = base::find_string(object, "use");
        const bool large = key.type != "RSA" || base::find_string(object, "n").size() >= kModulusCharsMin;
        if ((key.type == "RSA" || key.type == "EC") && (use.empty() || use == "sig") && large) {
            keys.push_back(std::move(key));
        }
    }
    return keys;
}

Result<json::object> verify_id_token(
    std::string_view token,
    const std::vector<ProviderKey>& keys,
    const IdTokenRules& rules,
    std::int64_t now
) {
    if (token.size() > kIdTokenBytesMax) {
        return wrong_token("it is too large");
    }
    TRY(const std::string payload, verified_payload(token, keys));
    auto parsed = base::parse_json(payload);
    if (!parsed || !parsed->is_object()) {
        return wrong_token("its claims are no object");
    }
    TRY_VOID(check_claims(parsed->as_object(), rules, now));
    return std::move(parsed->as_object());
}

}  // namespace confab::auth
