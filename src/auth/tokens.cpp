#include "auth/tokens.hpp"

#include <sodium.h>

#include "base/error.hpp"

namespace confab::auth {

void init_crypto() {
    CONFAB_ASSERT(sodium_init() >= 0);
}

std::string random_token() {
    std::array<unsigned char, 32> random{};
    randombytes_buf(random.data(), random.size());
    std::string text(sodium_base64_ENCODED_LEN(random.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING), '\0');
    sodium_bin2base64(text.data(), text.size(), random.data(), random.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    text.pop_back();  // the terminating NUL that libsodium counts
    return text;
}

std::string make_password() {
    constexpr std::size_t kChars = 20;  // of 6 bits each
    return random_token().substr(0, kChars);
}

std::string make_api_key() {
    return "sk-" + random_token();
}

store::Sha256 sha256(std::string_view text) {
    store::Sha256 hash{};
    static_assert(sizeof(hash) == crypto_hash_sha256_BYTES);
    crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
    return hash;
}

bool equal_secret(std::string_view a, std::string_view b) {
    return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace confab::auth
