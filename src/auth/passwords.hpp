// Password hashing: argon2id, 19 MiB, 2 passes, at most two at once, on threads of their own.
#pragma once

#include <string>

#include "base/error.hpp"
#include "net/blocking_pool.hpp"

namespace confab::auth {

inline constexpr std::size_t kPasswordBytesMin = 8;
inline constexpr std::size_t kPasswordBytesMax = 1024;

// `invalid_request` (param password) when too short or too long.
base::Status check_password_length(std::string_view password, std::string_view param = "password");

class PasswordPool {
public:
    static constexpr std::size_t kAtOnce = 2;
    static constexpr std::size_t kBytesEach = 19 * 1024 * 1024;

    PasswordPool();

    net::Task<base::Result<std::string>> hash(std::string password);
    // False for a wrong password. An empty `hash` (no such user) takes as long and is false.
    net::Task<base::Result<bool>> verify(std::string password, std::string hash);

    std::size_t queued() const { return pool_.queued(); }

    void stop() { pool_.stop(); }

private:
    struct Nothing {};

    static constexpr std::size_t kWaitingMax = 64;  // more logins than that at once are refused with 503
    net::BlockingPool<Nothing> pool_;
};

}  // namespace confab::auth
