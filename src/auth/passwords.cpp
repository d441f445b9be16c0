#include "auth/passwords.hpp"

#include <sodium.h>

#include "auth/tokens.hpp"

namespace confab::auth {

namespace {

// OWASP's minimum for argon2id: 19 MiB, t=2, p=1 (libsodium always uses one lane).
constexpr unsigned long long kPasses = 2;
constexpr std::size_t kMemoryBytes = 19 * 1024 * 1024;

base::Result<std::string> hash_now(const std::string& password) {
    std::string hash(crypto_pwhash_STRBYTES, '\0');
    if (crypto_pwhash_str_alg(
            hash.data(), password.data(), password.size(), kPasses, kMemoryBytes, crypto_pwhash_ALG_ARGON2ID13
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

PasswordPool::PasswordPool() : pool_(std::vector<Nothing>(kAtOnce), kWaitingMax) {
    decoy_hash_ = hash_now(random_token()).value_or(std::string());
}

net::Task<base::Result<std::string>> PasswordPool::hash(std::string password) {
    auto work = [password = std::move(password)](Nothing&) { return hash_now(password); };
    co_return co_await pool_.run(std::move(work));
}

net::Task<base::Result<bool>> PasswordPool::verify(std::string password, std::string hash) {
    const bool known = !hash.empty();
    auto work = [password = std::move(password), hash = known ? std::move(hash) : decoy_hash_, known](Nothing&) {
        const bool fits = crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
        return base::Result<bool>(known && fits);
    };
    co_return co_await pool_.run(std::move(work));
}

}  // namespace confab::auth
