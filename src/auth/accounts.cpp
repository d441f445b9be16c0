#include "auth/accounts.hpp"

#include <algorithm>

#include "auth/tokens.hpp"
#include "base/text.hpp"

namespace confab::auth {

namespace {

using base::Errc;
using base::fail;
using std::chrono::seconds;

constexpr std::size_t kEmailBytesMax = 254;  // RFC 5321
constexpr std::size_t kNameBytesMax = 200;
constexpr std::size_t kUserAgentBytesMax = 300;
constexpr std::size_t kKeysPerUserMax = 100;
constexpr std::size_t kNoteBytesMax = 200;  // of an invitation
constexpr std::int64_t kHourSeconds = 3'600;

Result<std::string> normalise_name(std::string_view text) {
    const std::string_view name = base::trim(text);
    if (name.size() > kNameBytesMax || !base::is_utf8(name)) {
        return base::invalid("name", "A name has at most 200 bytes of UTF-8.", "invalid_name");
    }
    return std::string(name);
}

auto wrong_credentials(std::string param = {}) {
    return fail(
        Errc::unauthenticated, "The e-mail address or the password is wrong.", "invalid_credentials", std::move(param)
    );
}

// The name under which the throttle counts; empty for nobody.
std::string throttled(std::string_view kind, const std::string& who) {
    return who.empty() ? std::string() : std::string(kind) + who;
}

auto too_many(std::string message, std::string code, seconds wait) {
    return std::unexpected(base::Error{Errc::rate_limited, std::move(message), std::move(code), {}, wait});
}

auto too_many_logins(seconds wait) {
    return too_many("Too many failed sign-ins. Wait a moment and try again.", "too_many_logins", wait);
}

}  // namespace

Result<std::string> normalise_email(std::string_view text) {
    std::string email = base::ascii_lower(base::trim(text));
    const auto at = email.find('@');
    const bool plain =
        std::ranges::all_of(email, [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7F; });
    if (email.size() > kEmailBytesMax || at == 0 || at == std::string::npos || at + 1 == email.size() || !plain ||
        !base::is_utf8(email)) {
        return base::invalid("email", "This is not an e-mail address.", "invalid_email");
    }
    return email;
}

std::unexpected<base::Error> no_entry(const store::User& user) {
    if (user.suspended_at) {
        return fail(
            Errc::forbidden, "An administrator has suspended this account. Ask one to lift that.", "account_suspended"
        );
    }
    return fail(
        Errc::forbidden,
        "Your account is waiting: an administrator has to let you in first. Try again when one has.",
        "account_pending"
    );
}

std::string_view role_name(store::Role role) {
    switch (role) {
        case store::Role::member: return "member";
        case store::Role::admin: return "admin";
        case store::Role::pending: return "pending";
    }
    return "pending";
}

std::optional<store::Role> parse_role(std::string_view name) {
    for (const store::Role role : {store::Role::member, store::Role::admin, store::Role::pending}) {
        if (name == role_name(role)) {
            return role;
        }
    }
    return std::nullopt;
}

// ---- throttle ----

seconds LoginThrottle::wait_for(const std::string& name, std::chrono::steady_clock::time_point now) const {
    const auto entry = entries_.find(name);
    if (entry == entries_.end() || entry->second.blocked_until <= now) {
        return seconds(0);
    }
    return std::chrono::ceil<seconds>(entry->second.blocked_until - now);
}

void LoginThrottle::failed(const std::string& name, int free_tries, std::chrono::steady_clock::time_point now) {
    make_room(now);
    Entry& entry = entries_[name];
    ++entry.failures;
    if (entry.failures >= free_tries) {
        const int doublings = std::min(entry.failures - free_tries, 6);
        entry.blocked_until = now + seconds(1 << doublings);
    }
}

void LoginThrottle::forgive(const std::string& name, int free_tries) {
    const auto entry = entries_.find(name);
    if (entry == entries_.end()) {
        return;
    }
    --entry->second.failures;
    if (entry->second.failures < free_tries) {
        entry->second.blocked_until = {};
    }
    if (entry->second.failures <= 0) {
        entries_.erase(entry);
    }
}

// So many who wait at once are thousands of failures in a minute: more than there can be passwords checked.
void LoginThrottle::make_room(std::chrono::steady_clock::time_point now) {
    if (entries_.size() < kNamesMax) {
        return;
    }
    std::erase_if(entries_, [now](const auto& entry) { return entry.second.blocked_until <= now; });
    if (entries_.size() >= kNamesMax) {
        entries_.clear();
    }
}

Task<Result<seconds>> Accounts::throttle_begin(std::string account, std::string remote, int tries_of_address) {
    const auto now = std::chrono::steady_clock::now();
    const seconds wait = std::max(throttle_.wait_for(account, now), throttle_.wait_for(remote, now));
    if (wait > seconds(0)) {
        co_return wait;
    }
    if (!account.empty()) {
        throttle_.failed(account, LoginThrottle::kTriesOfAccount, now);
    }
    if (!remote.empty()) {
        throttle_.failed(remote, tries_of_address, now);
    }
    co_return wait;
}

Task<Status> Accounts::throttle_take_back(std::string account, std::string remote) {
    throttle_.forgive(account, LoginThrottle::kTriesOfAccount);
    throttle_.forgive(remote, LoginThrottle::kTriesOfAddress);
    co_return Status{};
}

Task<Status> Accounts::throttle_succeed(std::string account, std::string remote) {
    throttle_.forget(account);
    throttle_.forgive(remote, LoginThrottle::kTriesOfAddress);
    co_return Status{};
}

Task<Result<bool>> Accounts::verify(std::string password, std::string hash, std::string account, std::string remote) {
    const auto fits = co_await passwords_.verify(std::move(password), std::move(hash));
    if (!fits) {
        CO_TRY_VOID(co_await net::run_on(home_, throttle_take_back(account, remote)));
    } else if (*fits) {
        CO_TRY_VOID(co_await net::run_on(home_, throttle_succeed(account, remote)));
    }
    co_return fits;
}

// ---- set-up ----

Accounts::Accounts(store::AccountStore& store, store::PeopleStore& people, PasswordPool& passwords, net::Executor home)
    : store_(store), people_(people), passwords_(passwords), home_(home) {}

Task<Result<bool>> Accounts::setup_required() {
    if (has_users_.load(std::memory_order_relaxed)) {
        co_return false;
    }
    CO_TRY(const auto count, co_await store_.count_users());
    has_users_.store(count > 0, std::memory_order_relaxed);
    co_return count == 0;
}

Task<Result<std::string>> Accounts::open_setup() {
    CO_TRY(const bool required, co_await setup_required());
    setup_token_ = required ? random_token() : std::string();
    co_return setup_token_;
}

Task<Result<SignedIn>> Accounts::set_up(std::string token, NewUser admin, std::string user_agent) {
    CO_TRY(const bool required, co_await setup_required());
    if (!required) {
        co_return fail(Errc::conflict, "Confab is set up already. Sign in instead.", "setup_already_done");
    }
    if (setup_token_.empty() || !equal_secret(token, setup_token_)) {
        co_return fail(
            Errc::forbidden,
            "This set-up address is not valid. Open the one that 'confab serve' printed when it started.",
            "setup_token_invalid",
            "token"
        );
    }
    admin.role = store::Role::admin;
    CO_TRY(auto user, co_await add_user(std::move(admin), store::IfFirst::yes));
    co_return co_await start_session(std::move(user), std::move(user_agent));
}

// ---- people ----

// Checked, and with the password's hash; not in the store yet.
Task<Result<store::User>> Accounts::prepare_user(NewUser user) {
    store::User row;
    CO_TRY(row.email, normalise_email(user.email));
    CO_TRY(row.name, normalise_name(user.name));
    CO_TRY_VOID(check_password_length(user.password));
    CO_TRY(row.password_hash, co_await passwords_.hash(std::move(user.password)));
    row.id = store::UserId::make();
    row.role = user.role;
    row.created_at = base::unix_now();
    co_return row;
}

Task<Result<store::User>> Accounts::add_user(NewUser user, store::IfFirst if_first) {
    CO_TRY(auto row, co_await prepare_user(std::move(user)));
    co_return co_await store_.create_user(std::move(row), if_first);
}

// ---- signing up ----

// The role that the rules, or the invitation, give.
Task<Result<store::Role>> Accounts::check_invitation(const SignUpRules& rules, const std::string& token) {
    if (token.empty() && rules.mode == SignUpMode::open) {
        co_return rules.role;
    }
    if (token.empty()) {
        co_return fail(
            Errc::forbidden,
            "To sign up here one needs an invitation. Ask an administrator for one.",
            "invitation_required",
            "invitation"
        );
    }
    CO_TRY(const auto invitation, co_await people_.find_open_invitation(sha256(token)));
    co_return invitation.role;
}

// The invitation is looked up first: hashing a password is dear, and nothing for who has no invitation.
Task<Result<store::User>> Accounts::make_account(const SignUpRules& rules, SignUp& request) {
    CO_TRY(request.user.role, co_await check_invitation(rules, request.invitation));
    std::optional<store::Sha256> invitation;
    if (!request.invitation.empty()) {
        invitation = sha256(request.invitation);
    }
    CO_TRY(auto row, co_await prepare_user(std::move(request.user)));
    co_return co_await people_.sign_up(std::move(row), invitation);
}

Task<Result<SignedUp>> Accounts::sign_up(SignUpRules rules, SignUp request) {
    if (rules.mode == SignUpMode::off) {
        co_return fail(Errc::forbidden, "Nobody can sign up here. Ask an administrator for an account.", "signup_off");
    }
    CO_TRY(const auto email, normalise_email(request.user.email));
    const std::string account = throttled("signup account ", email);
    const std::string remote = throttled("signup address ", request.remote);
    constexpr int kTries = LoginThrottle::kSignUpsOfAddress;
    CO_TRY(const auto wait, co_await net::run_on(home_, throttle_begin(account, remote, kTries)));
    if (wait > seconds(0)) {
        co_return too_many("Too many tries to sign up. Wait a moment and try again.", "too_many_signups", wait);
    }
    auto made = co_await make_account(rules, request);
    if (!made) {
        co_return std::unexpected(made.error());
    }
    // Only failures count against the e-mail address; whoever makes many accounts waits as well.
    CO_TRY_VOID(co_await net::run_on(home_, throttle_succeed(account, std::string())));
    SignedUp result;
    result.user = std::move(*made);
    if (result.user.may_enter()) {
        CO_TRY(auto signed_in, co_await start_session(result.user, std::move(request.user_agent)));
        result.token = std::move(signed_in.token);
    }
    co_return result;
}

Task<Result<std::pair<store::Invitation, std::string>>> Accounts::invite(store::UserNo by, NewInvitation wanted) {
    if (wanted.note.size() > kNoteBytesMax || !base::is_utf8(wanted.note)) {
        co_return base::invalid("note", "A note has at most 200 bytes of UTF-8.");
    }
    std::string token = random_token();
    store::Invitation invitation;
    invitation.id = store::InvitationId::make();
    invitation.token_hash = sha256(token);
    invitation.created_by = by;
    invitation.note = std::string(base::trim(wanted.note));
    invitation.role = wanted.role;
    invitation.uses_max = wanted.uses_max;
    invitation.created_at = base::unix_now();
    invitation.expires_at = invitation.created_at + wanted.hours * kHourSeconds;
    CO_TRY_VOID(co_await people_.create_invitation(invitation));
    co_return std::pair(std::move(invitation), std::move(token));
}

// The epoch first: from then on nobody is let in by what is remembered. What was let in before is cut off afterwards.
void Accounts::tell_ended(const EndedCredentials& ended) {
    bump_epoch();
    if (ended_) {
        ended_(ended);
    }
}

// ---- signing in ----

Task<Result<SignedIn>> Accounts::sign_in(
    std::string email,
    std::string password,
    std::string user_agent,
    std::string remote
) {
    std::string account = base::ascii_lower(base::trim(email));
    if (account.size() > kEmailBytesMax) {
        account.clear();  // cannot exist; the throttle's table must not grow by what strangers send
    }
    const std::string by_account = "account " + account;
    const std::string by_address = throttled("address ", remote);
    constexpr int kTries = LoginThrottle::kTriesOfAddress;
    CO_TRY(const auto wait, co_await net::run_on(home_, throttle_begin(by_account, by_address, kTries)));
    if (wait > seconds(0)) {
        co_return too_many_logins(wait);
    }
    auto found = co_await store_.find_user_by_email(account);
    if (!found && found.error().errc != Errc::not_found) {
        CO_TRY_VOID(co_await net::run_on(home_, throttle_take_back(by_account, by_address)));
        co_return std::unexpected(found.error());
    }
    if (password.size() > kPasswordBytesMax) {
        password.clear();  // cannot be right, but is checked all the same: every refusal takes as long
    }
    std::string hash = found ? found->password_hash : std::string();
    CO_TRY(const bool fits, co_await verify(std::move(password), hash, by_account, by_address));
    if (!fits) {
        co_return wrong_credentials();
    }
    if (!found->may_enter()) {
        co_return no_entry(*found);
    }
    co_return co_await start_session(std::move(*found), std::move(user_agent), std::move(hash));
}

Task<Result<SignedIn>> Accounts::begin_session(store::User user, std::string user_agent) {
    if (!user.may_enter()) {
        co_return no_entry(user);
    }
    co_return co_await start_session(std::move(user), std::move(user_agent));
}

Task<Result<SignedIn>> Accounts::start_session(store::User user, std::string user_agent, std::string password_hash) {
    SignedIn result;
    result.token = random_token();
    store::Session session;
    session.id = store::SessionId::make();
    session.user = user.no;
    session.token_hash = sha256(result.token);
    session.user_agent = base::utf8_prefix(base::is_utf8(user_agent) ? user_agent : std::string(), kUserAgentBytesMax);
    session.created_at = session.last_seen_at = base::unix_now();
    session.password_hash = std::move(password_hash);
    CO_TRY_VOID(co_await store_.create_session(std::move(session)));
    result.user = std::move(user);
    co_return result;
}

Task<Status> Accounts::sign_out(store::UserNo user, store::SessionId session) {
    auto done = co_await store_.delete_session(user, session);
    tell_ended({user, std::nullopt, session, false, std::nullopt});
    co_return done;
}

Task<Result<SignedIn>> Accounts::change_password(
    store::User user,
    std::string current,
    std::string next,
    std::string user_agent
) {
    CO_TRY_VOID(check_password_length(next, "new_password"));
    const std::string by_account = "account " + user.email;  // guesses count as at the door
    CO_TRY(const auto wait, co_await net::run_on(home_, throttle_begin(by_account, std::string(), LoginThrottle::kTriesOfAddress)));
    if (wait > seconds(0)) {
        co_return too_many_logins(wait);
    }
    CO_TRY(const bool fits, co_await verify(std::move(current), user.password_hash, by_account, std::string()));
    if (!fits) {
        co_return wrong_credentials("current_password");
    }
    CO_TRY(auto hash, co_await passwords_.hash(std::move(next)));
    const auto done = co_await store_.set_password(user.no, std::move(hash), std::nullopt);
    tell_ended({user.no, std::nullopt, std::nullopt, true, std::nullopt});
    CO_TRY_VOID(done);
    co_return co_await start_session(std::move(user), std::move(user_agent));
}

Task<Status> Accounts::reset_password(std::string email, std::string next) {
    CO_TRY_VOID(check_password_length(next));
    CO_TRY(auto user, co_await store_.find_user_by_email(base::ascii_lower(base::trim(email))));
    CO_TRY(auto hash, co_await passwords_.hash(std::move(next)));
    auto done = co_await store_.set_password(user.no, std::move(hash), std::nullopt);
    tell_ended({user.no, std::nullopt, std::nullopt, true, std::nullopt});
    co_return done;
}

// ---- what administrators do ----

Task<Result<store::User>> Accounts::change_user(store::UserId id, store::UserPatch patch) {
    if (patch.name) {
        CO_TRY(patch.name, normalise_name(*patch.name));
    }
    auto changed = co_await people_.change_user(id, std::move(patch));
    bump_epoch();
    co_return changed;
}

Task<Result<std::string>> Accounts::replace_password(
    store::UserId id,
    std::optional<std::string> password,
    std::optional<store::SessionId> keep
) {
    std::string made;
    if (!password) {
        made = make_password();
    }
    std::string next = password ? *std::move(password) : made;
    CO_TRY_VOID(check_password_length(next));
    CO_TRY(const auto user, co_await people_.find_user_by_id(id));
    CO_TRY(auto hash, co_await passwords_.hash(std::move(next)));
    const auto done = co_await store_.set_password(user.no, std::move(hash), keep);
    tell_ended({user.no, std::nullopt, std::nullopt, true, keep});
    if (!done) {
        co_return std::unexpected(done.error());
    }
    co_return made;
}

Task<Result<store::EndedAccess>> Accounts::end_access(store::UserNo user, std::optional<store::SessionId> keep) {
    auto ended = co_await people_.end_access(user, keep);
    bump_epoch();
    co_return ended;
}

Task<Result<store::UserNo>> Accounts::delete_user(store::UserId id) {
    auto deleted = co_await people_.delete_user(id);
    bump_epoch();
    co_return deleted;
}

// ---- keys ----

Task<Result<std::pair<store::ApiKey, std::string>>> Accounts::add_key(store::UserNo user, NewKey wanted) {
    CO_TRY(auto checked_name, normalise_name(wanted.name));
    CO_TRY_VOID(check_key_scope(wanted, base::unix_now()));
    if (checked_name.empty()) {
        co_return base::invalid("name", "An API key needs a name, so that you recognise it later.", "invalid_name");
    }
    CO_TRY(const auto existing, co_await store_.list_keys(user));
    if (existing.size() >= kKeysPerUserMax) {
        co_return base::invalid("name", "There are 100 API keys already. Revoke one first.", "too_many_keys");
    }
    std::string secret = make_api_key();
    store::ApiKey key;
    key.id = store::KeyId::make();
    key.user = user;
    key.key_hash = sha256(secret);
    key.name = std::move(checked_name);
    key.prefix = secret.substr(0, kKeyPrefixChars);
    key.created_at = base::unix_now();
    key.models = render_key_models(wanted.models);
    key.read_only = wanted.read_only;
    key.expires_at = wanted.expires_at;
    CO_TRY_VOID(co_await store_.create_key(key));
    co_return std::pair(std::move(key), std::move(secret));
}

Task<Status> Accounts::revoke_key(store::UserNo user, store::KeyId id) {
    auto done = co_await store_.delete_key(user, id);
    tell_ended({user, id, std::nullopt, false, std::nullopt});
    co_return done;
}

}  // namespace confab::auth
