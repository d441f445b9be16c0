#include "llm/token_estimate.hpp"

#include <array>

namespace confab::llm {

namespace {

// Weights count in sixtieths of a token, which divides by 2, 3, 4 and 5.
constexpr std::int64_t kUnit = 60;

constexpr std::uint8_t weight_of(unsigned byte) {
    if (byte >= 0x80 && byte < 0xC0) {
        return 0;  // the rest of a character: its first byte is counted
    }
    if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == ' ') {
        return 14;  // with the punctuation between the words this comes to about 4 characters a token
    }
    if (byte >= '0' && byte <= '9') {
        return 24;  // groups of up to three digits
    }
    if (byte < 0x80) {
        return 30;  // punctuation and line breaks: often a token of their own, often in pairs
    }
    if (byte < 0xE0) {
        return 30;  // two bytes: Latin with accents, Greek, Cyrillic, Hebrew, Arabic
    }
    return byte < 0xF0 ? 60 : 120;  // three bytes: CJK, Indic, Thai; four: emoji and rare ideographs
}

constexpr std::array<std::uint8_t, 256> make_weights() {
    std::array<std::uint8_t, 256> weights{};
    for (unsigned byte = 0; byte < weights.size(); ++byte) {
        weights[byte] = weight_of(byte);
    }
    return weights;
}

constexpr auto kWeights = make_weights();

}  // namespace

std::int64_t estimate_tokens(std::string_view text) noexcept {
    std::int64_t sixtieths = 0;
    for (const char c : text) {
        sixtieths += kWeights[static_cast<unsigned char>(c)];
    }
    return (sixtieths + kUnit - 1) / kUnit + (sixtieths == 0 && !text.empty() ? 1 : 0);
}

}  // namespace confab::llm
