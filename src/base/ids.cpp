#include "base/ids.hpp"

#include <cstring>

#include <sys/random.h>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace confab::base {

namespace {

// Random bytes are drawn from the kernel in blocks: one system call per 32 ids.
class RandomPool {
public:
    std::uint64_t next() {
        if (used_ == words_.size()) {
            const auto got = ::getrandom(words_.data(), sizeof words_, 0);
            CONFAB_ASSERT(got == static_cast<ssize_t>(sizeof words_));
            used_ = 0;
        }
        return words_[used_++];
    }

private:
    std::array<std::uint64_t, 32> words_{};  // 256 bytes: the kernel never returns fewer than asked up to that size
    std::size_t used_ = words_.size();
};

constexpr char kHex[] = "0123456789abcdef";

constexpr std::array<std::string_view, 5> kItemPrefixes{"msg_", "rs_", "fc_", "fco_", "item_"};  // by ItemType

int lower_hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return -1;
}

}  // namespace

IdBytes make_uuid_v7() {
    thread_local RandomPool pool;
    thread_local std::uint64_t last_ms = 0;
    thread_local std::uint16_t counter = 0;

    const auto now_ms = static_cast<std::uint64_t>(unix_now_ms());
    if (now_ms > last_ms) {
        last_ms = now_ms;
        counter = static_cast<std::uint16_t>(pool.next() & 0x7FF);  // the upper half is left for counting up
    } else if (++counter == 0x1000) {
        ++last_ms;
        counter = 0;
    }
    IdBytes id{};
    for (std::size_t i = 0; i < 6; ++i) {
        id[i] = static_cast<std::uint8_t>(last_ms >> (40 - 8 * i));
    }
    id[6] = static_cast<std::uint8_t>(0x70 | (counter >> 8));
    id[7] = static_cast<std::uint8_t>(counter);
    const std::uint64_t random = pool.next();
    std::memcpy(id.data() + 8, &random, sizeof random);
    id[8] = static_cast<std::uint8_t>(0x80 | (id[8] & 0x3F));
    return id;
}

Id<ItemKind> Id<ItemKind>::make(ItemType type) {
    Id id{make_uuid_v7()};
    if (type != ItemType::message) {
        id.bytes[6] = static_cast<std::uint8_t>(0x80 | (id.bytes[6] & 0x0F));
        id.bytes[8] = static_cast<std::uint8_t>(0x80 | static_cast<std::uint8_t>(type));
    }
    return id;
}

std::optional<Id<ItemKind>> Id<ItemKind>::parse(std::string_view text) {
    for (std::size_t type = 0; type < kItemPrefixes.size(); ++type) {
        if (text.starts_with(kItemPrefixes[type])) {
            const auto parsed = id_from_hex(text.substr(kItemPrefixes[type].size()));
            const bool fits = parsed && Id{*parsed}.type() == static_cast<ItemType>(type);
            return fits ? std::optional<Id>(Id{*parsed}) : std::nullopt;
        }
    }
    return std::nullopt;
}

ItemType Id<ItemKind>::type() const {
    if (bytes[6] >> 4 != 8) {
        return ItemType::message;
    }
    const unsigned type = bytes[8] & 0x3F;
    return type < kItemPrefixes.size() ? static_cast<ItemType>(type) : ItemType::other;
}

std::string Id<ItemKind>::str() const {
    return std::string(kItemPrefixes[static_cast<std::size_t>(type())]) + to_hex(bytes);
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
    std::string text(bytes.size() * 2, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        text[2 * i] = kHex[bytes[i] >> 4];
        text[2 * i + 1] = kHex[bytes[i] & 0xF];
    }
    return text;
}

std::optional<IdBytes> id_from_hex(std::string_view hex) {
    IdBytes id{};
    if (hex.size() != 2 * id.size()) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < id.size(); ++i) {
        const int high = lower_hex_value(hex[2 * i]);
        const int low = lower_hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        id[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return id;
}

}  // namespace confab::base
