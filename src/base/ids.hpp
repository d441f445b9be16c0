// Public identifiers: 128-bit UUIDv7, rendered as a type prefix and 32 hexadecimal digits ("conv_0197...").
//
// Each kind is a type of its own, so a response id cannot be passed where a conversation id is meant. UUIDv7 leaks its
// time of making: an id is a name, never a permission.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace confab::base {

using IdBytes = std::array<std::uint8_t, 16>;

// A fresh UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, 74 random bits, monotone within a thread.
IdBytes make_uuid_v7();

std::string to_hex(std::span<const std::uint8_t> bytes);

// Exactly 32 lower-case hexadecimal digits, else nothing.
std::optional<IdBytes> id_from_hex(std::string_view hex);

template <class Kind>
struct Id {
    IdBytes bytes{};

    static Id make() { return Id{make_uuid_v7()}; }

    // Accepts the prefix of this kind followed by 32 hexadecimal digits; anything else is no id.
    static std::optional<Id> parse(std::string_view text) {
        if (!text.starts_with(Kind::kPrefix)) {
            return std::nullopt;
        }
        const auto parsed = id_from_hex(text.substr(Kind::kPrefix.size()));
        return parsed ? std::optional<Id>(Id{*parsed}) : std::nullopt;
    }

    std::string str() const { return std::string(Kind::kPrefix) + to_hex(bytes); }

    friend auto operator<=>(const Id&, const Id&) = default;
};

struct ConversationKind {
    static constexpr std::string_view kPrefix = "conv_";
};

struct ResponseKind {
    static constexpr std::string_view kPrefix = "resp_";
};

struct UserKind {
    static constexpr std::string_view kPrefix = "user_";
};

struct SessionKind {
    static constexpr std::string_view kPrefix = "sess_";
};

struct KeyKind {
    static constexpr std::string_view kPrefix = "key_";
};

struct FileKind {
    static constexpr std::string_view kPrefix = "file-";
};

// What an item of a conversation is. The numbers are stored.
enum class ItemType : std::uint8_t { message, reasoning, function_call, function_call_output, other };

struct ItemKind {};

// An item's id says what the item is: a message's is a UUIDv7, that of another type a UUIDv8, whose layout is ours: the
// same, but the six bits after the variant hold the type. So ids sort by time, and an id alone gives its prefix.
template <>
struct Id<ItemKind> {
    IdBytes bytes{};

    static Id make(ItemType type = ItemType::message);

    // Accepts the prefix of any type (msg_, rs_, fc_, fco_, item_) with an id of that type.
    static std::optional<Id> parse(std::string_view text);

    ItemType type() const;
    std::string str() const;

    friend auto operator<=>(const Id&, const Id&) = default;
};

using ItemId = Id<ItemKind>;
using ConversationId = Id<ConversationKind>;
using ResponseId = Id<ResponseKind>;
using UserId = Id<UserKind>;
using SessionId = Id<SessionKind>;
using KeyId = Id<KeyKind>;
using FileId = Id<FileKind>;

struct IdHash {
    template <class Kind>
    std::size_t operator()(const Id<Kind>& id) const noexcept {
        std::size_t value = 0;
        for (std::size_t i = 8; i < 16; ++i) {
            value = (value << 8) | id.bytes[i];
        }
        return value;
    }
};

}  // namespace confab::base
