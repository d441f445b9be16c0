#include "auth/authenticator.hpp"

#include <algorithm>
#include <cstring>

#include "auth/key_scope.hpp"
#include "auth/tokens.hpp"

namespace confab::auth {

namespace {

using base::Errc;
using base::fail;

constexpr std::size_t kTokenBytesMax = 256;  // longer ones are not ours

// What is remembered under it cannot be had by presenting a token: none is as long.
store::Sha256 hash_of_no_token(std::string_view email) {
    return sha256(std::string(kTokenBytesMax + 1, ' ') + std::string(email));
}

auto not_signed_in() {
    return fail(
        Errc::unauthenticated, "You are not signed in, or your session has ended. Sign in again.", "not_signed_in"
    );
}

auto invalid_key() {
    return fail(
        Errc::unauthenticated,
        "This API key is not valid. Create one in the settings, under API keys.",
        "invalid_api_key"
    );
}

}  // namespace

std::size_t Authenticator::HashOfHash::operator()(const store::Sha256& hash) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, hash.data(), sizeof value);
    return value;
}

const Identity* Authenticator::recall(const store::Sha256& hash) {
    const auto entry = remembered_.find(hash);
    if (entry == remembered_.end()) {
        return nullptr;
    }
    if (entry->second.until < std::chrono::steady_clock::now() || entry->second.epoch != accounts_.revocation_epoch()) {
        remembered_.erase(entry);
        return nullptr;
    }
    return &entry->second.identity;
}

void Authenticator::remember(
    const store::Sha256& hash,
    Identity identity,
    std::uint64_t epoch,
    std::optional<store::UnixSeconds> expires_at
) {
    if (remembered_.size() >= kRememberedMax) {
        remembered_.clear();
    }
    Remembered entry;
    entry.identity = std::move(identity);
    entry.until = std::chrono::steady_clock::now() + kMemory;
    if (expires_at) {
        const std::chrono::seconds left(*expires_at - base::unix_now() - 1);  // this second has begun already
        entry.until = std::min(entry.until, std::chrono::steady_clock::now() + left);
    }
    entry.epoch = epoch;
    remembered_.insert_or_assign(hash, std::move(entry));
}

// A credential that ended while it was looked up is looked up again: whoever cuts off what was asked for with it looks at
// callers that are known (Listener::end_requests_where), and this one was not known yet.
Task<Result<Identity>> Authenticator::by_session(std::string_view token) {
    if (token.empty() || token.size() > kTokenBytesMax) {
        co_return not_signed_in();
    }
    const store::Sha256 hash = sha256(token);
    if (const Identity* known = recall(hash)) {
        co_return *known;
    }
    for (std::uint64_t epoch = accounts_.revocation_epoch();; epoch = accounts_.revocation_epoch()) {
        CO_TRY(auto identity, co_await look_up_session(hash));
        if (accounts_.revocation_epoch() == epoch) {
            remember(hash, identity, epoch, std::nullopt);
            co_return identity;
        }
    }
}

Task<Result<Identity>> Authenticator::look_up_session(store::Sha256 hash) {
    auto found = co_await accounts_.store().find_session(hash);
    if (!found) {
        if (found.error().errc == Errc::not_found) {
            co_return not_signed_in();
        }
        co_return std::unexpected(found.error());
    }
    const store::UnixSeconds now = base::unix_now();
    const store::Session& session = found->first;
    if (now - session.last_seen_at > kSessionIdleMax) {
        co_return not_signed_in();
    }
    if (now - session.last_seen_at > kTouchEvery) {
        background_.spawn(touch_session(session.id, now));
    }
    Identity identity;
    identity.session = session.id;
    identity.user = std::move(found->second);
    CO_TRY(identity.entitled, co_await allowances_.of(identity.user.no, std::nullopt));
    co_return identity;
}

Task<Result<Identity>> Authenticator::by_key(std::string_view key) {
    if (!key.starts_with("sk-") || key.size() > kTokenBytesMax) {
        co_return invalid_key();
    }
    const store::Sha256 hash = sha256(key);
    if (const Identity* known = recall(hash)) {
        co_return *known;
    }
    for (std::uint64_t epoch = accounts_.revocation_epoch();; epoch = accounts_.revocation_epoch()) {
        CO_TRY(auto identity, co_await look_up_key(hash));
        if (accounts_.revocation_epoch() == epoch) {
            remember(hash, identity, epoch, identity.scope.expires_at);
            co_return identity;
        }
    }
}

Task<Result<Identity>> Authenticator::look_up_key(store::Sha256 hash) {
    auto found = co_await accounts_.store().find_key(hash);
    if (!found) {
        if (found.error().errc == Errc::not_found) {
            co_return invalid_key();
        }
        co_return std::unexpected(found.error());
    }
    const store::UnixSeconds now = base::unix_now();
    const store::ApiKey& key = found->first;
    if (now - key.last_used_at.value_or(0) > kTouchEvery) {
        background_.spawn(touch_key(key.id, now));
    }
    Identity identity;
    identity.key = key.id;
    identity.scope.read_only = key.read_only;
    identity.scope.expires_at = key.expires_at;
    if (auto models = parse_key_models(key.models); !models.empty()) {
        identity.scope.models = std::make_shared<const std::vector<std::string>>(std::move(models));
    }
    identity.user = std::move(found->second);
    CO_TRY(identity.entitled, co_await allowances_.of(identity.user.no, identity.key));
    co_return identity;
}

// Nothing is presented here that could be stolen, but a person's access ends in the same way. Without an address it is the
// only person.
Task<Result<Identity>> Authenticator::vouched_for(store::Sha256 hash, std::string email) {
    if (const Identity* known = recall(hash)) {
        co_return *known;
    }
    for (std::uint64_t epoch = accounts_.revocation_epoch();; epoch = accounts_.revocation_epoch()) {
        Identity identity;
        if (email.empty()) {
            CO_TRY(identity.user, co_await people_.only_person());
        } else {
            CO_TRY(identity.user, co_await people_.by_address(email));
        }
        CO_TRY(identity.entitled, co_await allowances_.of(identity.user.no, std::nullopt));
        if (accounts_.revocation_epoch() == epoch) {
            remember(hash, identity, epoch, std::nullopt);
            co_return identity;
        }
    }
}

Task<Result<Identity>> Authenticator::by_address(std::string_view email) {
    if (email.empty() || email.size() > kTokenBytesMax) {
        co_return not_signed_in();
    }
    co_return co_await vouched_for(hash_of_no_token(email), std::string(email));
}

Task<Result<Identity>> Authenticator::only_person() {
    co_return co_await vouched_for(hash_of_no_token({}), std::string());
}

// "Last used" is a courtesy: when it cannot be written, the request goes on all the same.
Task<void> Authenticator::touch_session(store::SessionId id, store::UnixSeconds now) {
    (void)co_await accounts_.store().touch_session(id, now);
}

Task<void> Authenticator::touch_key(store::KeyId id, store::UnixSeconds now) {
    (void)co_await accounts_.store().touch_key(id, now);
}

}  // namespace confab::auth
