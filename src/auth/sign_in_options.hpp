// How people sign in, as whoever runs the server has configured it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace confab::auth {

// What becomes of people whom a provider or a proxy vouches for, and who have no account yet.
enum class NewPeople : std::uint8_t { refused, pending, member };

// A provider of identities that speaks OpenID Connect.
struct OpenIdOptions {
    std::string issuer;  // empty: none
    std::string client_id;
    std::string client_secret;  // empty: a public client
    std::string name = "single sign-on";  // on the button
    std::string scope = "openid email profile";
    std::string role_claim;                   // empty: the provider has no say in roles; "a.b" looks inside an object
    std::vector<std::string> admin_values;    // of the claim, that make an administrator
    std::vector<std::string> member_values;   // that make a member; none: everybody else is one
    std::vector<std::string> email_domains;   // whose people may come in; none: all
};

struct SignInOptions {
    bool passwords = true;
    bool single_user = false;    // no sign-in: everybody on this machine is the one person
    std::string trusted_header;  // lower case; in which a trusted proxy says who somebody is; empty: none
    NewPeople new_people = NewPeople::refused;
    OpenIdOptions openid;
};

}  // namespace confab::auth
