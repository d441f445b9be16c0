#include "auth/passwords.hpp"

#include <sodium.h>

namespace confab::auth {

namespace {

// OWASP's minimum for argon2id: 19 MiB, t=2, p=1 (libsodium always uses one lane).
constexpr unsigned long long kPasses = 2;

// What the password of somebody who does not exist is checked against: it costs what a real one costs, and whether it
// fits does not matter. Not hashed at the start, which that would make 40 ms longer. The numbers are those above.
constexpr std::string_view kDecoyHash =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

base::Result<std::string> hash_now(const std::string& password) {
    std::string hash(crypto_pwhash_STRBYTES, '\0');
    if (crypto_pwhash_str_alg(
            hash.data(), password.data(), password.size(), kPasses, PasswordPool::kBytesEach, crypto_pwhash_ALG_ARGON2ID13
        ) != 0) {
        return base::fail(
            base::Errc::unavailable, "There is not enough memory to hash a password. Try again shortly.", "overloaded"
        );
    }
    hash.resize(hash.find('\0'));
    return hash;
}

}  // namespace

base::Status check_password_length(std::string_view password, std::string_view param) {
    if (password.size() < kPasswordBytesMin || password.size() > kPasswordBytesMax) {
        return base::invalid(std::string(param), "A password has 8 to 1,024 bytes.", "invalid_password");
    }
    return {};
}

PasswordPool::PasswordPool() : pool_(std::vector<Nothing>(kAtOnce), kWaitingMax) {}

net::Task<base::Result<std::string>> PasswordPool::hash(std::string password) {
    auto work = [password = std::move(password)](Nothing&) { return hash_now(password); };
    co_return co_await pool_.run(std::move(work));
}

net::Task<base::Result<bool>> PasswordPool::verify(std::string password, std::string hash) {
    const bool known = !hash.empty();
    auto work = [password = std::move(password), hash = known ? std::move(hash) : std::string(kDecoyHash), known](Nothing&) {
        const bool fits = crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
        return base::Result<bool>(known && fits);
    };
    co_return co_await pool_.run(std::move(work));
}

}  // namespace confab::auth
