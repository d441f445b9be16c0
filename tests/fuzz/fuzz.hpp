// What every fuzz target needs: a check that ends the process, so that libFuzzer keeps the input, and a source of cuts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// An invariant that every input must keep.
#define FUZZ_CHECK(condition)                                                               \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            std::fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);    \
            std::abort();                                                                   \
        }                                                                                   \
    } while (false)

namespace confab::fuzz {

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

// Cuts a text into pieces of 1 to 16 bytes whose lengths follow from `seed` alone.
class Cutter {
public:
    Cutter(std::string_view text, std::uint8_t seed) : rest_(text), state_(seed * 2U + 1U) {}

    bool done() const { return rest_.empty(); }

    std::string_view next() {
        state_ = state_ * 1664525U + 1013904223U;
        const std::string_view piece = rest_.substr(0, std::min<std::size_t>(rest_.size(), 1 + (state_ >> 28U)));
        rest_.remove_prefix(piece.size());
        return piece;
    }

private:
    std::string_view rest_;
    std::uint32_t state_;
};

}  // namespace confab::fuzz
