#include "auth/external_people.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "base/text.hpp"

namespace confab::auth {

namespace {

using base::Errc;
using base::fail;

bool contains_any(const std::vector<std::string>& values, const std::vector<std::string>& wanted) {
    return std::ranges::any_of(values, [&](const auto& value) { return std::ranges::count(wanted, value) > 0; });
}

// Nothing: the provider has no say.
Result<std::optional<store::Role>> role_of(const ExternalPerson& person, const OpenIdOptions& options) {
    if (options.role_claim.empty()) {
        return std::nullopt;
    }
    if (contains_any(person.roles, options.admin_values)) {
        return store::Role::admin;
    }
    if (options.member_values.empty() || contains_any(person.roles, options.member_values)) {
        return store::Role::member;
    }
    return fail(Errc::forbidden, "The identity provider gives this person no role here.", "openid_role");
}

Status check_domain(const ExternalPerson& person, const std::vector<std::string>& domains) {
    if (domains.empty()) {
        return {};
    }
    const std::string domain = base::ascii_lower(person.email.substr(person.email.rfind('@') + 1));
    const bool known = person.email_verified && std::ranges::count(domains, domain) > 0;
    if (!known) {
        return fail(Errc::forbidden, "Only people with verified addresses of certain domains may come in.", "openid_domain");
    }
    return {};
}

store::User new_person(std::string email, std::string_view name, store::Role role) {
    constexpr std::size_t kNewNameBytesMax = 200;
    store::User user;
    user.id = store::UserId::make();
    user.email = std::move(email);
    user.name = base::utf8_prefix(base::is_utf8(name) ? base::trim(name) : std::string_view(), kNewNameBytesMax);
    user.role = role;
    user.created_at = base::unix_now();
    return user;  // without a password: nobody signs in with one
}

}  // namespace

// A new account, or one that has the verified address.
Task<Result<store::User>> ExternalPeople::admit(const ExternalPerson& person, std::optional<store::Role> role) {
    CO_TRY(const bool setup_required, co_await accounts_.setup_required());
    if (setup_required) {
        co_return fail(Errc::conflict, "Confab has no administrator yet. It has to be set up first.", "setup_required");
    }
    auto email = normalise_email(person.email);
    if (!email || !person.email_verified) {
        co_return fail(
            Errc::forbidden, "The identity provider knows no verified address of this person.", "openid_email"
        );
    }
    auto known = co_await accounts_.store().find_user_by_email(*email);
    if (known) {
        const auto linked = co_await identities_.link_identity(known->no, person.identity);
        if (!linked && linked.error().errc == Errc::conflict) {
            co_return fail(Errc::conflict, "The account with this address is linked to somebody else.", "openid_taken");
        }
        CO_TRY_VOID(linked);
        spdlog::info("identity_linked user={} issuer={}", known->id.str(), person.identity.issuer);
        co_return known;
    }
    if (known.error().errc != Errc::not_found) {
        co_return known;
    }
    if (options_.new_people == NewPeople::refused) {
        co_return fail(Errc::forbidden, "This person has no account here.", "openid_no_account");
    }
    const store::Role first = options_.new_people == NewPeople::member ? store::Role::member : store::Role::pending;
    store::User user = new_person(*std::move(email), person.name, role.value_or(first));
    co_return co_await identities_.create_user_with_identity(std::move(user), person.identity);
}

Task<Result<store::User>> ExternalPeople::find_or_admit(const ExternalPerson& person, std::optional<store::Role> role) {
    auto found = co_await identities_.find_user_by_identity(person.identity);
    if (found || found.error().errc != Errc::not_found) {
        co_return found;
    }
    co_return co_await admit(person, role);
}

Task<Result<SignedIn>> ExternalPeople::sign_in(ExternalPerson person, std::string user_agent) {
    CO_TRY_VOID(check_domain(person, options_.openid.email_domains));
    CO_TRY(const auto role, role_of(person, options_.openid));
    CO_TRY(auto user, co_await find_or_admit(person, role));
    if (role && *role != user.role) {
        store::UserPatch patch;
        patch.role = role;
        auto changed = co_await accounts_.change_user(user.id, std::move(patch));
        if (changed) {
            user = *std::move(changed);
        } else if (changed.error().code != "last_administrator") {
            co_return std::unexpected(changed.error());
        }
    }
    co_return co_await accounts_.begin_session(std::move(user), std::move(user_agent));
}

Task<Result<store::User>> ExternalPeople::admit_address(std::string email) {
    CO_TRY(const bool setup_required, co_await accounts_.setup_required());
    if (setup_required || options_.new_people == NewPeople::refused) {
        co_return fail(
            Errc::unauthenticated, "The proxy vouches for you, but you have no account here. Ask an administrator.", "unknown_person"
        );
    }
    const store::Role role = options_.new_people == NewPeople::member ? store::Role::member : store::Role::pending;
    auto made = co_await accounts_.people().sign_up(new_person(email, {}, role), std::nullopt);
    if (!made && made.error().code == "email_taken") {
        made = co_await accounts_.store().find_user_by_email(std::move(email));  // two first requests at once
    }
    co_return made;
}

Task<Result<store::User>> ExternalPeople::by_address(std::string text) {
    CO_TRY(auto email, normalise_email(text));
    auto found = co_await accounts_.store().find_user_by_email(email);
    if (!found && found.error().errc == Errc::not_found) {
        found = co_await admit_address(std::move(email));
    }
    if (found && !found->may_enter()) {
        co_return no_entry(*found);
    }
    co_return found;
}

Task<Result<store::User>> ExternalPeople::only_person() {
    CO_TRY(auto users, co_await accounts_.store().list_users());
    for (store::User& user : users) {
        if (user.role == store::Role::admin && user.may_enter()) {
            co_return std::move(user);
        }
    }
    co_return fail(Errc::unauthenticated, "There is no administrator to be.", "unknown_person");
}

}  // namespace confab::auth
