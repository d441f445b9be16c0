#include "meter/user_accounts.hpp"

#include <algorithm>
#include <memory>

namespace confab::meter {

UserAccounts::~UserAccounts() {
    for (std::atomic<Page*>& page : pages_) {
        const std::unique_ptr<Page> last(page.load());
    }
}

UserAccount& UserAccounts::of(std::int64_t user_no) {
    const std::size_t place = static_cast<std::uint64_t>(user_no) % (kPages * kPageAccounts);
    std::atomic<Page*>& slot = pages_[place / kPageAccounts];
    Page* page = slot.load(std::memory_order_acquire);
    if (page == nullptr) {
        auto made = std::make_unique<Page>();
        if (slot.compare_exchange_strong(page, made.get(), std::memory_order_acq_rel)) {
            page = made.release();
        }  // else another thread was quicker, and `page` is what it made
    }
    return (*page)[place % kPageAccounts];
}

bool UserAccounts::take(UserAccount& account, std::uint64_t bytes, std::uint64_t bytes_max, std::uint64_t own) {
    if (bytes == 0) {
        return true;
    }
    std::uint64_t held = account.bytes.load(std::memory_order_relaxed);
    do {
        if (held > own && (held >= bytes_max || bytes > bytes_max - held)) {
            return false;
        }
    } while (!account.bytes.compare_exchange_weak(held, held + bytes, std::memory_order_relaxed));
    if (held == 0) {
        active_.fetch_add(1, std::memory_order_relaxed);
    }
    return true;
}

void UserAccounts::give(UserAccount& account, std::uint64_t bytes) {
    if (bytes != 0 && account.bytes.fetch_sub(bytes, std::memory_order_relaxed) == bytes) {
        active_.fetch_sub(1, std::memory_order_relaxed);
    }
}

std::uint64_t UserAccounts::active() const noexcept {
    // The two steps of take() and give() are not one: the sum may be wrong by a user or two for an instant.
    return static_cast<std::uint64_t>(std::max<std::int64_t>(active_.load(std::memory_order_relaxed), 0));
}

std::vector<UserHolding> UserAccounts::heaviest(std::size_t users_max) const {
    std::vector<UserHolding> found;
    for (std::size_t p = 0; p < kPages; ++p) {
        const Page* page = pages_[p].load(std::memory_order_acquire);
        for (std::size_t i = 0; page != nullptr && i < kPageAccounts; ++i) {
            const UserAccount& account = (*page)[i];
            const UserHolding holding{
                static_cast<std::int64_t>(p * kPageAccounts + i),
                account.bytes.load(std::memory_order_relaxed),
                account.runs.load(std::memory_order_relaxed),
                account.waiting.load(std::memory_order_relaxed)};
            if (holding.user_no != kNobody && (holding.bytes != 0 || holding.runs != 0)) {
                found.push_back(holding);
            }
        }
    }
    const std::size_t kept = std::min(users_max, found.size());
    const auto heavier = [](const UserHolding& a, const UserHolding& b) { return a.bytes > b.bytes; };
    std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(kept), found.end(), heavier);
    found.resize(kept);
    return found;
}

}  // namespace confab::meter
