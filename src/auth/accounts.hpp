// Accounts: set-up of the first administrator, sign-in and sign-out, passwords, API keys.
//
// One object for the process; every call may be made from any shard. Secrets leave it only as return values of the
// calls that make them.
#pragma once

#include <atomic>
#include <string>
#include <unordered_map>

#include "auth/passwords.hpp"
#include "net/shard.hpp"
#include "store/store.hpp"

namespace confab::auth {

using base::Result;
using base::Status;
using net::Task;

struct SignedIn {
    store::User user;
    std::string token;  // for the session cookie
};

struct NewUser {
    std::string email;
    std::string password;
    std::string name;
    store::Role role = store::Role::member;
};

// Delays guessing: after a few failures an account or an address has to wait longer and longer, up to a minute.
// Lives on one shard.
class LoginThrottle {
public:
    // How long this name must wait before its next try; zero: go on.
    std::chrono::seconds wait_for(const std::string& name, std::chrono::steady_clock::time_point now) const;
    void failed(const std::string& name, std::chrono::steady_clock::time_point now);

    void succeeded(const std::string& name) { entries_.erase(name); }

private:
    static constexpr int kFreeTries = 5;
    static constexpr std::size_t kNamesMax =
        10'000;  // the table is emptied when full: a flood buys an attacker five more tries

    struct Entry {
        int failures = 0;
        std::chrono::steady_clock::time_point blocked_until;
    };

    std::unordered_map<std::string, Entry> entries_;
};

class Accounts {
public:
    Accounts(store::AccountStore& store, PasswordPool& passwords, net::Executor home);

    // The one-time token of the set-up address; empty once an administrator exists.
    Task<Result<std::string>> open_setup();
    // forbidden (setup_token_invalid), conflict (setup_already_done).
    Task<Result<SignedIn>> set_up(std::string token, NewUser admin, std::string user_agent);
    Task<Result<bool>> setup_required();

    // invalid_request (param email, password), conflict (email_taken).
    Task<Result<store::User>> add_user(NewUser user, store::IfFirst if_first);
    // unauthenticated (invalid_credentials), rate_limited (too_many_logins). Failures are counted by account and,
    // unless it is empty, by remote address.
    Task<Result<SignedIn>> sign_in(std::string email, std::string password, std::string user_agent, std::string remote);
    Task<Status> sign_out(store::UserNo user, store::SessionId session);
    // unauthenticated (invalid_credentials, param current_password). Ends the user's other sessions.
    Task<Status> change_password(
        store::User user,
        std::string current,
        std::string next,
        std::optional<store::SessionId> keep
    );
    // Without the old one: for the command line.
    Task<Status> reset_password(std::string email, std::string next);

    // The key itself is only in the returned text.
    Task<Result<std::pair<store::ApiKey, std::string>>> add_key(store::UserNo user, std::string name);
    Task<Status> revoke_key(store::UserNo user, store::KeyId id);

    store::AccountStore& store() { return store_; }

    // Grows whenever a session or key ends: what shards remember of credentials is then stale.
    std::uint64_t revocation_epoch() const { return epoch_.load(std::memory_order_acquire); }

    void bump_epoch() { epoch_.fetch_add(1, std::memory_order_acq_rel); }

private:
    Task<Result<SignedIn>> start_session(store::User user, std::string user_agent);
    Task<Result<std::chrono::seconds>> throttle_wait(std::string account, std::string remote);
    Task<Status> throttle_note(std::string account, std::string remote, bool success);

    store::AccountStore& store_;
    PasswordPool& passwords_;
    net::Executor home_;  // the shard that owns the throttle and the set-up token
    LoginThrottle throttle_;
    std::string setup_token_;
    std::atomic<bool> has_users_{false};
    std::atomic<std::uint64_t> epoch_{0};
};

}  // namespace confab::auth
