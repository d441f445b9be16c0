#include "auth/openid_attempt.hpp"

#include <sodium.h>

#include "base/json.hpp"

namespace confab::auth {

namespace {

// What else is sealed with the same key, keys of model servers, does not begin like this.
constexpr std::string_view kAttemptPurpose = "openid attempt ";
constexpr std::size_t kSealedBytesMax = 4'096;  // browsers keep no larger cookie

auto stale() {
    return base::fail(
        base::Errc::forbidden, "This sign-in was not begun in this browser, or too long ago. Begin it again.", "openid_state"
    );
}

}  // namespace

std::string seal_attempt(const Sealer& sealer, const OpenIdAttempt& attempt) {
    std::string text(kAttemptPurpose);
    base::JsonWriter out(text);
    out.begin_object();
    out.member("state", attempt.state);
    out.member("nonce", attempt.nonce);
    out.member("verifier", attempt.verifier);
    out.member("redirect_uri", attempt.redirect_uri);
    out.member("place", attempt.place);
    out.member("begun_at", attempt.begun_at);
    out.end_object();
    return sealer.seal(text);
}

base::Result<OpenIdAttempt> open_attempt(const Sealer& sealer, std::string_view sealed, std::int64_t now) {
    if (sealed.empty() || sealed.size() > kSealedBytesMax) {
        return stale();
    }
    const auto text = sealer.open(sealed);
    if (!text || !text->starts_with(kAttemptPurpose)) {
        return stale();
    }
    TRY(const auto value, base::parse_json(std::string_view(*text).substr(kAttemptPurpose.size())));
    const auto& object = value.as_object();
    OpenIdAttempt attempt;
    attempt.state = base::find_string(object, "state");
    attempt.nonce = base::find_string(object, "nonce");
    attempt.verifier = base::find_string(object, "verifier");
    attempt.redirect_uri = base::find_string(object, "redirect_uri");
    attempt.place = base::find_string(object, "place");
    attempt.begun_at = object.at("begun_at").to_number<std::int64_t>();
    if (now - attempt.begun_at > kAttemptMax || now < attempt.begun_at) {
        return stale();
    }
    return attempt;
}

std::string base64url(std::string_view bytes) {
    constexpr int kUrlSafe = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    std::string text(sodium_base64_encoded_len(bytes.size(), kUrlSafe), '\0');
    sodium_bin2base64(
        text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), kUrlSafe
    );
    text.pop_back();  // the terminating NUL
    return text;
}

}  // namespace confab::auth
