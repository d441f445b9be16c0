// ExternalPeople: people whom somebody else vouches for, a provider of identities or a trusted proxy, and their
// accounts here.
//
// A provider's person is known by issuer and subject. An account that exists is linked only by an address that the
// provider says it has verified, and only once: an address that changed hands opens nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "auth/accounts.hpp"
#include "auth/sign_in_options.hpp"

namespace confab::auth {

// Somebody, as a provider of identities describes them; the description was verified.
struct ExternalPerson {
    store::Identity identity;
    std::string email;  // empty: not told
    bool email_verified = false;
    std::string name;
    std::vector<std::string> roles;  // the values of the claim
};

class ExternalPeople {
public:
    ExternalPeople(Accounts& accounts, store::IdentityStore& identities, const SignInOptions& options)
        : accounts_(accounts), identities_(identities), options_(options) {}

    // Finds, links or makes the account, gives it the role that the provider says, and begins a session. Errors: forbidden
    // (openid_domain, openid_email, openid_role, openid_no_account, account_pending, account_suspended), conflict
    // (openid_taken, setup_required), rate_limited (too_many_pending).
    Task<Result<SignedIn>> sign_in(ExternalPerson person, std::string user_agent);

    // Who has this address, in the word of a trusted proxy. unauthenticated (unknown_person), forbidden
    // (account_pending, account_suspended).
    Task<Result<store::User>> by_address(std::string email);

    // The first active administrator: the one person of a server for one. unauthenticated (unknown_person).
    Task<Result<store::User>> only_person();

private:
    Task<Result<store::User>> find_or_admit(const ExternalPerson& person, std::optional<store::Role> role);
    Task<Result<store::User>> admit(const ExternalPerson& person, std::optional<store::Role> role);
    Task<Result<store::User>> admit_address(std::string email);

    Accounts& accounts_;
    store::IdentityStore& identities_;
    const SignInOptions& options_;
};

}  // namespace confab::auth
