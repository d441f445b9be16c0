// OpenIdAttempt: what must be remembered from the moment somebody goes to the provider until they come back.
//
// It travels in a cookie, sealed: the server keeps nothing for visitors who never come back, and an answer fits only the
// browser that asked.
#pragma once

#include <string>
#include <string_view>

#include "auth/sealer.hpp"
#include "base/clock.hpp"

namespace confab::auth {

inline constexpr std::int64_t kAttemptMax = 600;  // seconds to sign in at the provider

struct OpenIdAttempt {
    std::string state;
    std::string nonce;
    std::string verifier;  // PKCE
    std::string redirect_uri;
    std::string place;  // where to go afterwards: a path of the page
    std::int64_t begun_at = 0;
};

std::string seal_attempt(const Sealer& sealer, const OpenIdAttempt& attempt);

// forbidden (openid_state) when it was not sealed here, or is older than kAttemptMax.
base::Result<OpenIdAttempt> open_attempt(const Sealer& sealer, std::string_view sealed, std::int64_t now);

// URL-safe base64 without padding, as tokens and PKCE have it.
std::string base64url(std::string_view bytes);

}  // namespace confab::auth
