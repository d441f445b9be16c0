// ByteBudget: a cap on the bytes that buffers may hold at once, shared by all shards. Every buffer whose size a client
// or a model server decides is leased from it before it grows. A refused lease is answered with 503, not with the OOM
// killer.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

namespace confab::meter {

class ByteBudget;

// Bytes held from a budget; given back when it dies.
class Lease {
public:
    Lease() = default;

    Lease(Lease&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

    Lease& operator=(Lease&& other) noexcept {
        if (this != &other) {
            release();
            budget_ = std::exchange(other.budget_, nullptr);
            bytes_ = std::exchange(other.bytes_, 0);
        }
        return *this;
    }

    ~Lease() { release(); }

    std::uint64_t bytes() const { return bytes_; }

    // Takes `more` bytes from the same budget; false, and nothing changed, when they are not there.
    [[nodiscard]] bool grow(std::uint64_t more);
    void release();

private:
    friend class ByteBudget;

    Lease(ByteBudget* budget, std::uint64_t bytes) : budget_(budget), bytes_(bytes) {}

    ByteBudget* budget_ = nullptr;
    std::uint64_t bytes_ = 0;
};

class ByteBudget {
public:
    explicit ByteBudget(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

    std::optional<Lease> try_lease(std::uint64_t bytes) {
        return take(bytes) ? std::optional<Lease>(Lease(this, bytes)) : std::nullopt;
    }

    std::uint64_t bytes_max() const { return bytes_max_; }

    std::uint64_t bytes_leased() const { return leased_.load(std::memory_order_relaxed); }

private:
    friend class Lease;

    bool take(std::uint64_t bytes) {
        std::uint64_t held = leased_.load(std::memory_order_relaxed);
        do {
            if (bytes > bytes_max_ - held) {
                return false;
            }
        } while (!leased_.compare_exchange_weak(held, held + bytes, std::memory_order_relaxed));
        return true;
    }

    void give(std::uint64_t bytes) { leased_.fetch_sub(bytes, std::memory_order_relaxed); }

    const std::uint64_t bytes_max_;
    std::atomic<std::uint64_t> leased_{0};
};

inline bool Lease::grow(std::uint64_t more) {
    if (budget_ == nullptr || !budget_->take(more)) {
        return false;
    }
    bytes_ += more;
    return true;
}

inline void Lease::release() {
    if (budget_ != nullptr) {
        std::exchange(budget_, nullptr)->give(std::exchange(bytes_, 0));
    }
}

// The memory this process may use: the smallest limit among cgroup v2, cgroup v1 and the machine's memory, in bytes.
std::uint64_t memory_limit_bytes();

}  // namespace confab::meter
