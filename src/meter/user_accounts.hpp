// UserAccounts: what each user holds of the server right now, bytes and answers under way.
//
// Any thread reads and writes without a lock. Accounts stand in pages of a table indexed by the user's number, which is
// dense; a page is made when the first of its users comes and stays: 16 KiB for each 1,024 users that were ever active.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace confab::meter {

inline constexpr std::int64_t kNobody = 0;  // whose bytes belong to no user: connections before anybody signs in

struct UserAccount {
    std::atomic<std::uint64_t> bytes{0};    // leased
    std::atomic<std::uint32_t> runs{0};     // answers under way
    std::atomic<std::uint32_t> waiting{0};  // requests that wait for one of these to end
};

struct UserHolding {
    std::int64_t user_no = kNobody;
    std::uint64_t bytes = 0;
    std::uint32_t runs = 0;
    std::uint32_t waiting = 0;
};

class UserAccounts {
public:
    UserAccounts() = default;
    UserAccounts(const UserAccounts&) = delete;
    UserAccounts& operator=(const UserAccounts&) = delete;
    ~UserAccounts();

    // Lives as long as the table. Numbers beyond kPages * kPageAccounts share the accounts of smaller ones.
    UserAccount& of(std::int64_t user_no);

    // Takes bytes for a user who then holds at most `bytes_max`, or who holds nothing but the `own` bytes of the lease
    // that grows: a single request may be larger than the cap. False, and nothing changed, when that is too much.
    bool take(UserAccount& account, std::uint64_t bytes, std::uint64_t bytes_max, std::uint64_t own = 0);
    void give(UserAccount& account, std::uint64_t bytes);

    // Users who hold any bytes.
    std::uint64_t active() const noexcept;

    // The users who hold most, the most first; nobody who holds nothing.
    std::vector<UserHolding> heaviest(std::size_t users_max) const;

private:
    static constexpr std::size_t kPageAccounts = 1024;
    static constexpr std::size_t kPages = 4096;
    using Page = std::array<UserAccount, kPageAccounts>;

    std::array<std::atomic<Page*>, kPages> pages_{};
    std::atomic<std::int64_t> active_{0};
};

}  // namespace confab::meter
