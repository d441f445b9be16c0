// Base64 (RFC 4648, section 4) of pieces, so that a large value need not be in memory whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace confab::base {

// Characters of `bytes` bytes, padding included.
constexpr std::uint64_t base64_size(std::uint64_t bytes) {
    return (bytes + 2) / 3 * 4;
}

// With padding. Pieces of a multiple of three bytes may be encoded one by one and joined.
std::string base64_encode(std::string_view bytes);

// Strict: the alphabet of the standard, no blanks, a multiple of four characters; padding only at the end. Nothing for
// anything else. Pieces of a multiple of four characters may be decoded one by one; only the last may be padded.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace confab::base
