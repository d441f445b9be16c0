#include "base/base64.hpp"

#include <array>

namespace confab::base {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 0xFF;

constexpr std::array<std::uint8_t, 256> make_values() {
    std::array<std::uint8_t, 256> values{};
    values.fill(kNone);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
        values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}

constexpr auto kValues = make_values();

std::uint32_t byte_at(std::string_view bytes, std::size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
    std::string text(base64_size(bytes.size()), '=');
    std::size_t out = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 3, out += 4) {
        const std::uint32_t group = byte_at(bytes, i) << 16 | byte_at(bytes, i + 1) << 8 | byte_at(bytes, i + 2);
        text[out] = kAlphabet[group >> 18];
        text[out + 1] = kAlphabet[group >> 12 & 63];
        if (i + 1 < bytes.size()) {
            text[out + 2] = kAlphabet[group >> 6 & 63];
        }
        if (i + 2 < bytes.size()) {
            text[out + 3] = kAlphabet[group & 63];
        }
    }
    return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        std::uint32_t group = 0;
        for (std::size_t j = i; j < i + 4; ++j) {
            const bool padded = j >= text.size() - padding;
            const std::uint8_t value = padded ? 0 : kValues[static_cast<unsigned char>(text[j])];
            if (value == kNone) {
                return std::nullopt;
            }
            group = group << 6 | value;
        }
        bytes += static_cast<char>(group >> 16);
        bytes += static_cast<char>(group >> 8 & 0xFF);
        bytes += static_cast<char>(group & 0xFF);
    }
    bytes.erase(bytes.size() - padding);
    return bytes;
}

}  // namespace confab::base
