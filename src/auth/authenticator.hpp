// Authenticator: turns a presented credential into a user. One per shard.
//
// It remembers what it verified for a few seconds, so that a request does not cost a database read for it. A revocation
// is in force at once on this process (the epoch), and after kMemory in any case.
#pragma once

#include <chrono>
#include <string_view>
#include <unordered_map>

#include "auth/accounts.hpp"
#include "auth/allowances.hpp"
#include "auth/external_people.hpp"
#include "auth/key_scope.hpp"
#include "net/task_group.hpp"

namespace confab::auth {

struct Identity {
    store::User user;
    std::optional<store::SessionId> session;
    std::optional<store::KeyId> key;
    KeyScope scope;  // of the key
    Entitled entitled;
};

class Authenticator {
public:
    static constexpr std::chrono::seconds kMemory{5};
    static constexpr std::size_t kRememberedMax = 4096;
    static constexpr store::UnixSeconds kTouchEvery = 60;                  // seconds between two notes of "last used"
    static constexpr store::UnixSeconds kSessionIdleMax = 30 * 24 * 3600;  // seconds; then one has to sign in again

    Authenticator(Accounts& accounts, Allowances& allowances, ExternalPeople& people, net::TaskGroup& background)
        : accounts_(accounts), allowances_(allowances), people_(people), background_(background) {}

    // unauthenticated (not_signed_in).
    Task<Result<Identity>> by_session(std::string_view token);
    // unauthenticated (invalid_api_key).
    Task<Result<Identity>> by_key(std::string_view key);
    // By the address that a trusted proxy vouches for: ExternalPeople::by_address.
    Task<Result<Identity>> by_address(std::string_view email);
    // ExternalPeople::only_person.
    Task<Result<Identity>> only_person();

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
    Task<Result<Identity>> look_up_session(store::Sha256 hash);
    Task<Result<Identity>> look_up_key(store::Sha256 hash);
    Task<Result<Identity>> vouched_for(store::Sha256 hash, std::string email);
    void remember(
        const store::Sha256& hash,
        Identity identity,
        std::uint64_t epoch,
        std::optional<store::UnixSeconds> expires_at
    );
    Task<void> touch_session(store::SessionId id, store::UnixSeconds now);
    Task<void> touch_key(store::KeyId id, store::UnixSeconds now);

    Accounts& accounts_;
    Allowances& allowances_;
    ExternalPeople& people_;
    net::TaskGroup& background_;
    std::unordered_map<store::Sha256, Remembered, HashOfHash> remembered_;
};

}  // namespace confab::auth
