// IdentityStore: people by what a provider of identities knows them by.
//
// An identity is an issuer and a subject, which the provider never gives to somebody else; addresses are not one.
#pragma once

#include <string>

#include "base/error.hpp"
#include "net/task.hpp"
#include "store/people_rows.hpp"

namespace confab::store {

struct Identity {
    std::string issuer;
    std::string subject;
};

class IdentityStore {
public:
    virtual ~IdentityStore() = default;

    // Of the person that it was linked to, may they enter or not. `not_found` when unknown.
    virtual net::Task<base::Result<User>> find_user_by_identity(Identity identity) = 0;
    // `conflict` (identity_taken) when the person has another identity of this issuer, or the identity another person.
    virtual net::Task<base::Status> link_identity(UserNo user, Identity identity) = 0;
    // A new person with this identity, in one transaction. `conflict` (email_taken), `rate_limited` (too_many_pending).
    virtual net::Task<base::Result<User>> create_user_with_identity(User user, Identity identity) = 0;
};

}  // namespace confab::store
