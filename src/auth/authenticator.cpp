#include "auth/authenticator.hpp"

#include <cstring>

#include "auth/tokens.hpp"

namespace confab::auth {

namespace {

using base::Errc;
using base::fail;

constexpr std::size_t kTokenBytesMax = 256;  // longer ones are not ours

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

void Authenticator::remember(const store::Sha256& hash, Identity identity, std::uint64_t epoch) {
    if (remembered_.size() >= kRememberedMax) {
        remembered_.clear();
    }
    Remembered entry;
    entry.identity = std::move(identity);
    entry.until = std::chrono::steady_clock::now() + kMemory;
    entry.epoch = epoch;
    remembered_.insert_or_assign(hash, std::move(entry));
}

Task<Result<Identity>> Authenticator::by_session(std::string_view token) {
    if (token.empty() || token.size() > kTokenBytesMax) {
        co_return not_signed_in();
    }
    const store::Sha256 hash = sha256(token);
    if (const Identity* known = recall(hash)) {
        co_return *known;
    }
    const std::uint64_t epoch =
        accounts_.revocation_epoch();  // before the read: a revocation in between makes the entry stale
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
    remember(hash, identity, epoch);
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
    const std::uint64_t epoch = accounts_.revocation_epoch();
    auto found = co_await accounts_.store().find_key(hash);
    if (!found) {
        if (found.error().errc == Errc::not_found) {
            co_return invalid_key();
        }
        co_return std::unexpected(found.error());
    }
    const store::UnixSeconds now = base::unix_now();
    if (now - found->first.last_used_at.value_or(0) > kTouchEvery) {
        background_.spawn(touch_key(found->first.id, now));
    }
    Identity identity;
    identity.key = found->first.id;
    identity.user = std::move(found->second);
    remember(hash, identity, epoch);
    co_return identity;
}

// "Last used" is a courtesy: when it cannot be written, the request goes on all the same.
Task<void> Authenticator::touch_session(store::SessionId id, store::UnixSeconds now) {
    (void)co_await accounts_.store().touch_session(id, now);
}

Task<void> Authenticator::touch_key(store::KeyId id, store::UnixSeconds now) {
    (void)co_await accounts_.store().touch_key(id, now);
}

}  // namespace confab::auth
