// Small text helpers: UTF-8 boundaries, trimming, ASCII case.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace confab::base {

inline constexpr std::string_view kUtf8Bom = "\xEF\xBB\xBF";

// Length (1..4) of the well-formed UTF-8 sequence at the start of `text`, 0 when malformed or cut short (RFC 3629: no
// overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t utf8_sequence_length(std::string_view text) noexcept;

bool is_utf8(std::string_view text) noexcept;

// The longest prefix of at most `bytes_max` bytes that ends on a character boundary.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) noexcept;

// How many bytes at the end of `text` begin a UTF-8 sequence that more bytes could complete (0..3).
std::size_t utf8_incomplete_tail(std::string_view text) noexcept;

std::string_view trim(std::string_view text) noexcept;

std::string ascii_lower(std::string_view text);

bool iequals(std::string_view a, std::string_view b) noexcept;

// Whether a pattern, in which '*' stands for any run of characters, fits the whole of `text`. O(pattern * text).
bool fits_pattern(std::string_view pattern, std::string_view text) noexcept;

// 0..15 for a hexadecimal digit of either case, -1 for anything else.
int hex_value(char c) noexcept;

}  // namespace confab::base
