// Accounts: set-up of the first administrator, signing up, sign-in and sign-out, passwords, API keys, and what
// administrators do with other people's accounts.
//
// One object for the process; every call may be made from any shard. Secrets leave it only as return values of the
// calls that make them.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "auth/key_scope.hpp"
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

enum class SignUpMode : std::uint8_t { off, invitation, open };

// How strangers become people, as the administrator has set it.
struct SignUpRules {
    SignUpMode mode = SignUpMode::off;
    store::Role role = store::Role::pending;  // of those who come without an invitation
};

struct SignUp {
    NewUser user;            // without a role
    std::string invitation;  // its token; empty: none
    std::string user_agent;
    std::string remote;  // address; empty: unknown
};

struct SignedUp {
    store::User user;
    std::string token;  // for the session cookie; empty: an administrator has to let the person in
};

struct NewInvitation {
    std::string note;
    store::Role role = store::Role::member;
    std::int64_t uses_max = 1;
    std::int64_t hours = store::kInvitationHoursDefault;
};

// Credentials that have ended: one, or all sessions of somebody but one.
struct EndedCredentials {
    store::UserNo user{};
    std::optional<store::KeyId> key;
    std::optional<store::SessionId> session;
    bool other_sessions = false;
    std::optional<store::SessionId> keep;  // with other_sessions: the one that goes on
};

// In lower case. invalid_request (param email): enough to catch slips; whether an address works only mail could tell.
Result<std::string> normalise_email(std::string_view text);

// forbidden (account_pending, account_suspended), for who may not enter.
std::unexpected<base::Error> no_entry(const store::User& user);

std::string_view role_name(store::Role role);  // "member", "admin", "pending"
std::optional<store::Role> parse_role(std::string_view name);

// Delays guessing: after a few failures an account or an address has to wait longer and longer, up to a minute.
// Lives on one shard. A try counts as failed from its beginning, so that many at once are not more than one after another.
class LoginThrottle {
public:
    static constexpr int kTriesOfAccount = 5;   // before there is a wait
    static constexpr int kTriesOfAddress = 20;  // behind one there may be many people
    static constexpr int kSignUpsOfAddress = 5;

    // How long this name must wait before its next try; zero: go on.
    std::chrono::seconds wait_for(const std::string& name, std::chrono::steady_clock::time_point now) const;
    void failed(const std::string& name, int free_tries, std::chrono::steady_clock::time_point now);
    // Takes one failure back; the wait too, unless the others are enough for one.
    void forgive(const std::string& name, int free_tries);

    void forget(const std::string& name) { entries_.erase(name); }

    std::size_t size() const { return entries_.size(); }

private:
    static constexpr std::size_t kNamesMax = 10'000;  // then those who need not wait are forgotten

    void make_room(std::chrono::steady_clock::time_point now);

    struct Entry {
        int failures = 0;
        std::chrono::steady_clock::time_point blocked_until;
    };

    std::unordered_map<std::string, Entry> entries_;
};

class Accounts {
public:
    Accounts(store::AccountStore& store, store::PeopleStore& people, PasswordPool& passwords, net::Executor home);

    // The one-time token of the set-up address; empty once an administrator exists.
    Task<Result<std::string>> open_setup();
    // forbidden (setup_token_invalid), conflict (setup_already_done).
    Task<Result<SignedIn>> set_up(std::string token, NewUser admin, std::string user_agent);
    Task<Result<bool>> setup_required();

    // invalid_request (param email, password), conflict (email_taken).
    Task<Result<store::User>> add_user(NewUser user, store::IfFirst if_first);
    // Makes an account for a stranger. forbidden (signup_off, invitation_required, invitation_invalid), invalid_request
    // (param email, password, name), conflict (email_taken), rate_limited (too_many_signups, too_many_pending). Tries
    // are counted by remote address, failed ones by e-mail address too.
    Task<Result<SignedUp>> sign_up(SignUpRules rules, SignUp request);
    // unauthenticated (invalid_credentials), rate_limited (too_many_logins); with the right password forbidden
    // (account_pending, account_suspended). Failures are counted by account and, unless it is empty, by remote address.
    Task<Result<SignedIn>> sign_in(std::string email, std::string password, std::string user_agent, std::string remote);
    // For somebody whose identity is certain. forbidden (account_pending, account_suspended).
    Task<Result<SignedIn>> begin_session(store::User user, std::string user_agent);
    Task<Status> sign_out(store::UserNo user, store::SessionId session);
    // unauthenticated (invalid_credentials, param current_password), rate_limited (too_many_logins). Ends all the user's sessions and begins another one.
    Task<Result<SignedIn>> change_password(
        store::User user,
        std::string current,
        std::string next,
        std::string user_agent
    );
    // Without the old one: for the command line.
    Task<Status> reset_password(std::string email, std::string next);

    // The key itself is only in the returned text.
    Task<Result<std::pair<store::ApiKey, std::string>>> add_key(store::UserNo user, NewKey wanted);
    Task<Status> revoke_key(store::UserNo user, store::KeyId id);

    // What administrators do. Whatever takes access away is in force on every shard when the call returns. The last
    // active administrator stays one: conflict (last_administrator).
    Task<Result<store::User>> change_user(store::UserId id, store::UserPatch patch);
    // Returns the password if none was given: it is made here. Ends the person's sessions, except `keep`.
    Task<Result<std::string>> replace_password(
        store::UserId id,
        std::optional<std::string> password,
        std::optional<store::SessionId> keep
    );
    Task<Result<store::EndedAccess>> end_access(store::UserNo user, std::optional<store::SessionId> keep);
    Task<Result<store::UserNo>> delete_user(store::UserId id);
    // The token, the end of the link, is only in the returned text.
    Task<Result<std::pair<store::Invitation, std::string>>> invite(store::UserNo by, NewInvitation wanted);

    // Told, on the caller's thread, of every credential that ends here; to be set before the first one can.
    void when_ended(std::function<void(const EndedCredentials&)> listener) { ended_ = std::move(listener); }

    store::AccountStore& store() { return store_; }

    store::PeopleStore& people() { return people_; }

    // Grows whenever a session or key ends: what shards remember of credentials is then stale.
    std::uint64_t revocation_epoch() const { return epoch_.load(std::memory_order_acquire); }

    void bump_epoch() { epoch_.fetch_add(1, std::memory_order_acq_rel); }

private:
    void tell_ended(const EndedCredentials& ended);
    // `password_hash`: of the password that proved who it is; empty: something else did.
    Task<Result<SignedIn>> start_session(store::User user, std::string user_agent, std::string password_hash = {});
    Task<Result<store::User>> prepare_user(NewUser user);
    Task<Result<store::Role>> check_invitation(const SignUpRules& rules, const std::string& token);
    Task<Result<store::User>> make_account(const SignUpRules& rules, SignUp& request);
    // Begins a try, which counts as failed until it is taken back; or how long to wait before there may be one. Names that
    // are empty are nobody.
    Task<Result<std::chrono::seconds>> throttle_begin(std::string account, std::string remote, int tries_of_address);
    // It was none: the server had no time for it.
    Task<Status> throttle_take_back(std::string account, std::string remote);
    // The second half of a try: a good one is taken back, and one that could not be looked at.
    Task<Result<bool>> verify(std::string password, std::string hash, std::string account, std::string remote);
    // The try was good: the account's failures are forgotten, those of the address but for this one are not.
    Task<Status> throttle_succeed(std::string account, std::string remote);

    store::AccountStore& store_;
    store::PeopleStore& people_;
    PasswordPool& passwords_;
    net::Executor home_;  // the shard that owns the throttle and the set-up token
    LoginThrottle throttle_;
    std::function<void(const EndedCredentials&)> ended_;
    std::string setup_token_;
    std::atomic<bool> has_users_{false};
    std::atomic<std::uint64_t> epoch_{0};
};

}  // namespace confab::auth
