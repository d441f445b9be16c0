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
constexpr std::string_view kNoAddress = "address ";

// Enough to catch slips; whether an address works only mail could tell.
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

}  // namespace

// ---- throttle ----

seconds LoginThrottle::wait_for(const std::string& name, std::chrono::steady_clock::time_point now) const {
    const auto entry = entries_.find(name);
    if (entry == entries_.end() || entry->second.blocked_until <= now) {
        return seconds(0);
    }
    return std::chrono::ceil<seconds>(entry->second.blocked_until - now);
}

void LoginThrottle::failed(const std::string& name, std::chrono::steady_clock::time_point now) {
    if (entries_.size() >= kNamesMax) {
        entries_.clear();
    }
    Entry& entry = entries_[name];
    ++entry.failures;
    if (entry.failures >= kFreeTries) {
        const int doublings = std::min(entry.failures - kFreeTries, 6);
        entry.blocked_until = now + seconds(1 << doublings);
    }
}

Task<Result<seconds>> Accounts::throttle_wait(std::string account, std::string remote) {
    const auto now = std::chrono::steady_clock::now();
    co_return std::max(throttle_.wait_for(account, now), throttle_.wait_for(remote, now));
}

Task<Status> Accounts::throttle_note(std::string account, std::string remote, bool success) {
    const auto now = std::chrono::steady_clock::now();
    for (const std::string& name : {account, remote}) {
        if (name == kNoAddress) {
            continue;
        }
        if (success) {
            throttle_.succeeded(name);
        } else {
            throttle_.failed(name, now);
        }
    }
    co_return Status{};
}

// ---- set-up ----

Accounts::Accounts(store::AccountStore& store, PasswordPool& passwords, net::Executor home)
    : store_(store), passwords_(passwords), home_(home) {}

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

Task<Result<store::User>> Accounts::add_user(NewUser user, store::IfFirst if_first) {
    store::User row;
    CO_TRY(row.email, normalise_email(user.email));
    CO_TRY(row.name, normalise_name(user.name));
    CO_TRY_VOID(check_password_length(user.password));
    CO_TRY(row.password_hash, co_await passwords_.hash(std::move(user.password)));
    row.id = store::UserId::make();
    row.role = user.role;
    row.created_at = base::unix_now();
    co_return co_await store_.create_user(std::move(row), if_first);
}

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
    CO_TRY(const auto wait, co_await net::run_on(home_, throttle_wait("account " + account, "address " + remote)));
    if (wait > seconds(0)) {
        auto error = base::Error{
            Errc::rate_limited, "Too many failed sign-ins. Wait a moment and try again.", "too_many_logins", {}, wait
        };
        co_return std::unexpected(std::move(error));
    }
    auto found = co_await store_.find_user_by_email(account);
    if (!found && found.error().errc != Errc::not_found) {
        co_return std::unexpected(found.error());
    }
    if (password.size() > kPasswordBytesMax) {
        password.clear();  // cannot be right, but is checked all the same: every refusal takes as long
    }
    std::string hash = found ? found->password_hash : std::string();
    CO_TRY(const bool fits, co_await passwords_.verify(std::move(password), std::move(hash)));
    CO_TRY_VOID(co_await net::run_on(home_, throttle_note("account " + account, "address " + remote, fits)));
    if (!fits) {
        co_return wrong_credentials();
    }
    co_return co_await start_session(std::move(*found), std::move(user_agent));
}

Task<Result<SignedIn>> Accounts::start_session(store::User user, std::string user_agent) {
    SignedIn result;
    result.token = random_token();
    store::Session session;
    session.id = store::SessionId::make();
    session.user = user.no;
    session.token_hash = sha256(result.token);
    session.user_agent = base::utf8_prefix(base::is_utf8(user_agent) ? user_agent : std::string(), kUserAgentBytesMax);
    session.created_at = session.last_seen_at = base::unix_now();
    CO_TRY_VOID(co_await store_.create_session(std::move(session)));
    result.user = std::move(user);
    co_return result;
}

Task<Status> Accounts::sign_out(store::UserNo user, store::SessionId session) {
    auto done = co_await store_.delete_session(user, session);
    bump_epoch();
    co_return done;
}

Task<Status> Accounts::change_password(
    store::User user,
    std::string current,
    std::string next,
    std::optional<store::SessionId> keep
) {
    CO_TRY_VOID(check_password_length(next, "new_password"));
    CO_TRY(const bool fits, co_await passwords_.verify(std::move(current), user.password_hash));
    if (!fits) {
        co_return wrong_credentials("current_password");
    }
    CO_TRY(auto hash, co_await passwords_.hash(std::move(next)));
    auto done = co_await store_.set_password(user.no, std::move(hash), keep);
    bump_epoch();
    co_return done;
}

Task<Status> Accounts::reset_password(std::string email, std::string next) {
    CO_TRY_VOID(check_password_length(next));
    CO_TRY(auto user, co_await store_.find_user_by_email(base::ascii_lower(base::trim(email))));
    CO_TRY(auto hash, co_await passwords_.hash(std::move(next)));
    auto done = co_await store_.set_password(user.no, std::move(hash), std::nullopt);
    bump_epoch();
    co_return done;
}

// ---- keys ----

Task<Result<std::pair<store::ApiKey, std::string>>> Accounts::add_key(store::UserNo user, std::string name) {
    CO_TRY(auto checked_name, normalise_name(name));
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
    CO_TRY_VOID(co_await store_.create_key(key));
    co_return std::pair(std::move(key), std::move(secret));
}

Task<Status> Accounts::revoke_key(store::UserNo user, store::KeyId id) {
    auto done = co_await store_.delete_key(user, id);
    bump_epoch();
    co_return done;
}

}  // namespace confab::auth
