#include "store/derived_id.hpp"

#include <algorithm>

#include <sodium.h>

namespace confab::store {

namespace {

void add(crypto_hash_sha256_state& state, std::string_view bytes) {
    crypto_hash_sha256_update(&state, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

}  // namespace

base::IdBytes derived_id(std::initializer_list<std::string_view> parts) {
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (const std::string_view part : parts) {
        const std::uint64_t size = part.size();
        add(state, {reinterpret_cast<const char*>(&size), sizeof size});
        add(state, part);
    }
    std::array<std::uint8_t, crypto_hash_sha256_BYTES> hash{};
    crypto_hash_sha256_final(&state, hash.data());
    base::IdBytes id{};
    std::copy_n(hash.begin(), id.size(), id.begin());
    id[6] = static_cast<std::uint8_t>(0x80 | (id[6] & 0x0F));
    id[8] = 0x80;
    return id;
}

base::ItemId derived_item_id(base::ItemType type, std::initializer_list<std::string_view> parts) {
    base::ItemId id{derived_id(parts)};
    id.bytes[8] = static_cast<std::uint8_t>(0x80 | static_cast<std::uint8_t>(type));
    return id;
}

}  // namespace confab::store
