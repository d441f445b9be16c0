// Looking at eight bytes of text at once. The answers are exact about "none": "some" may be a false alarm.
#pragma once

#include <cstdint>
#include <cstring>

namespace confab::base {

inline std::uint64_t load_bytes(const char* from) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, sizeof word);
    return word;
}

namespace detail {

inline constexpr std::uint64_t kOnes = 0x0101010101010101;
inline constexpr std::uint64_t kHighs = 0x8080808080808080;

// The highest bit of each byte that is `byte`, or follows one that is.
constexpr std::uint64_t marks(std::uint64_t word, unsigned char byte) {
    const std::uint64_t zeros = word ^ (kOnes * byte);
    return (zeros - kOnes) & ~zeros & kHighs;
}

}  // namespace detail

constexpr bool has_non_ascii(std::uint64_t word) {
    return (word & detail::kHighs) != 0;
}

// Whether one of the bytes may not simply be passed over within a JSON string: a quotation mark, a backslash, a control
// character (DEL too), or one beyond ASCII.
constexpr bool has_json_special(std::uint64_t word) {
    const std::uint64_t control = (word - detail::kOnes * 0x20) & ~word & detail::kHighs;
    return (detail::marks(word, '"') | detail::marks(word, '\\') | detail::marks(word, 0x7F) | control |
            (word & detail::kHighs)) != 0;
}

}  // namespace confab::base
