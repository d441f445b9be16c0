// Random secrets and how they are kept: only their SHA-256 is ever stored.
#pragma once

#include <string>
#include <string_view>

#include "store/rows.hpp"

namespace confab::auth {

// Must be called once before anything else of this layer.
void init_crypto();

// 256 random bits in URL-safe base64 without padding (43 characters).
std::string random_token();

// A password for somebody else, who is told it once: 120 random bits, 20 characters of URL-safe base64.
std::string make_password();

// "sk-" and 256 random bits.
std::string make_api_key();

inline constexpr std::size_t kKeyPrefixChars = 9;  // shown in lists: "sk-" and six more

store::Sha256 sha256(std::string_view text);

// In constant time for equal lengths.
bool equal_secret(std::string_view a, std::string_view b);

}  // namespace confab::auth
