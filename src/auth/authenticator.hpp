// Authenticator: turns a presented credential into a user. One per shard.
//
// It remembers what it verified for a few seconds, so that a request does not cost a database read for it. A revocation
// is in force at once on this process (the epoch), and after kMemory in any case.
#pragma once

#include <chrono>
#include <string_view>
#include <unordered_map>

#include "auth/accounts.hpp"
#include "net/task_group.hpp"

namespace confab::auth {

struct Identity {
    store::User user;
    std::optional<store::SessionId> session;
    std::optional<store::KeyId> key;
};

class Authenticator {
public:
    static constexpr std::chrono::seconds kMemory{5};
    static constexpr std::size_t kRememberedMax = 4096;
    static constexpr store::UnixSeconds kTouchEvery = 60;                  // seconds between two notes of "last used"
    static constexpr store::UnixSeconds kSessionIdleMax = 30 * 24 * 3600;  // seconds; then one has to sign in again

    Authenticator(Accounts& accounts, net::TaskGroup& background) : accounts_(accounts), background_(background) {}

    // unauthenticated (not_signed_in).
    Task<Result<Identity>> by_session(std::string_view token);
    // unauthenticated (invalid_api_key).
    Task<Result<Identity>> by_key(std::string_view key);

private:
    struct Remembered {
        Identity identity;
        std::chrono::steady_clock::time_point until;
        std::uint64_t epoch = 0;
    };

    struct HashOfHash {
        std::size_t operator()(const store::Sha256& hash) const noexcept;
    };

    const Identity* recall(const store::Sha256& hash);
    void remember(const store::Sha256& hash, Identity identity, std::uint64_t epoch);
    Task<void> touch_session(store::SessionId id, store::UnixSeconds now);
    Task<void> touch_key(store::KeyId id, store::UnixSeconds now);

    Accounts& accounts_;
    net::TaskGroup& background_;
    std::unordered_map<store::Sha256, Remembered, HashOfHash> remembered_;
};

}  // namespace confab::auth
