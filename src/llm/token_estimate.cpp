#include "llm/token_estimate.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "base/text.hpp"

namespace confab::llm {

namespace {

// Weights count in sixtieths of a token, which divides by 2, 3, 4 and 5.
constexpr std::int64_t kUnit = 60;

// Weight of one character of each class of scripts. Rough on purpose: the usage that servers report does the rest.
struct ScriptWeights {
    std::uint8_t latin;        // letters and blanks; with the punctuation between the words about 4 characters a token
    std::uint8_t digit;        // groups of up to three digits, or each by itself
    std::uint8_t punctuation;  // and line breaks: often a token of their own, often in pairs
    std::uint8_t accented;     // Latin with accents
    std::uint8_t cyrillic;     // and Greek
    std::uint8_t semitic;      // Hebrew, Arabic
    std::uint8_t indic;        // and Thai, Georgian, and the like
    std::uint8_t symbol;       // typographic punctuation, arrows
    std::uint8_t cjk;
    std::uint8_t hangul;
    std::uint8_t emoji;  // and rare ideographs
};

// In the order of TokenFamily.
constexpr std::array<ScriptWeights, 7> kFamilies{{
    {14, 24, 30, 30, 30, 30, 60, 60, 60, 60, 120},    // neutral
    {14, 24, 28, 26, 20, 22, 27, 40, 44, 38, 90},     // o200k: GPT-4o and later
    {14, 24, 28, 34, 30, 42, 84, 45, 66, 54, 130},    // cl100k: GPT-4, GPT-3.5, Claude by guess
    {14, 24, 28, 32, 26, 30, 48, 45, 50, 44, 120},    // Llama 3
    {14, 60, 28, 32, 28, 32, 72, 45, 40, 46, 120},    // Qwen, DeepSeek, GLM
    {14, 60, 30, 26, 22, 26, 32, 45, 38, 38, 90},     // Gemma, Gemini
    {17, 60, 36, 40, 36, 60, 84, 60, 108, 110, 200},  // 32k vocabularies: Llama 2, Mistral 7B, Phi-3
}};

constexpr std::uint8_t weight_of(unsigned byte, const ScriptWeights& weights) {
    if (byte >= 0x80 && byte < 0xC0) {
        return 0;  // the rest of a character: its first byte is counted
    }
    if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == ' ') {
        return weights.latin;
    }
    if (byte >= '0' && byte <= '9') {
        return weights.digit;
    }
    if (byte < 0x80) {
        return weights.punctuation;
    }
    if (byte < 0xCC) {
        return weights.accented;
    }
    if (byte < 0xD6) {
        return weights.cyrillic;
    }
    if (byte < 0xE0) {
        return weights.semitic;
    }
    if (byte < 0xE2) {
        return weights.indic;
    }
    if (byte == 0xE2) {
        return weights.symbol;
    }
    if (byte < 0xF0) {
        return byte >= 0xEA && byte <= 0xED ? weights.hangul : weights.cjk;
    }
    return weights.emoji;
}

constexpr auto make_weights() {
    std::array<std::array<std::uint8_t, 256>, kFamilies.size()> tables{};
    for (std::size_t family = 0; family < tables.size(); ++family) {
        for (unsigned byte = 0; byte < 256; ++byte) {
            tables[family][byte] = weight_of(byte, kFamilies[family]);
        }
    }
    return tables;
}

constexpr auto kWeights = make_weights();

struct NamedFamily {
    std::string_view name;  // what a model's name begins with, after the publisher
    TokenFamily family;
};

// The first that fits counts.
constexpr std::array kNames{
    NamedFamily{"gpt-4o", TokenFamily::o200k},
    NamedFamily{"gpt-4.", TokenFamily::o200k},
    NamedFamily{"gpt-5", TokenFamily::o200k},
    NamedFamily{"gpt-oss", TokenFamily::o200k},
    NamedFamily{"chatgpt", TokenFamily::o200k},
    NamedFamily{"o1", TokenFamily::o200k},
    NamedFamily{"o3", TokenFamily::o200k},
    NamedFamily{"o4", TokenFamily::o200k},
    NamedFamily{"gpt-", TokenFamily::cl100k},
    NamedFamily{"claude", TokenFamily::cl100k},
    NamedFamily{"phi-4", TokenFamily::cl100k},
    NamedFamily{"phi4", TokenFamily::cl100k},
    NamedFamily{"llama-2", TokenFamily::small_vocabulary},
    NamedFamily{"llama2", TokenFamily::small_vocabulary},
    NamedFamily{"codellama", TokenFamily::small_vocabulary},
    NamedFamily{"phi", TokenFamily::small_vocabulary},
    NamedFamily{"mistral", TokenFamily::small_vocabulary},
    NamedFamily{"mixtral", TokenFamily::small_vocabulary},
    NamedFamily{"tinyllama", TokenFamily::small_vocabulary},
    NamedFamily{"meta-llama", TokenFamily::llama3},
    NamedFamily{"llama", TokenFamily::llama3},
    NamedFamily{"hermes", TokenFamily::llama3},
    NamedFamily{"qwen", TokenFamily::qwen},
    NamedFamily{"qwq", TokenFamily::qwen},
    NamedFamily{"deepseek", TokenFamily::qwen},
    NamedFamily{"glm", TokenFamily::qwen},
    NamedFamily{"gemma", TokenFamily::gemma},
    NamedFamily{"gemini", TokenFamily::gemma},
};

}  // namespace

TokenFamily token_family(std::string_view model) {
    model = model.substr(model.rfind('/') + 1);  // npos + 1 is 0
    const std::string name = base::ascii_lower(model);
    const auto known = std::ranges::find_if(kNames, [&](const NamedFamily& one) { return name.starts_with(one.name); });
    return known == kNames.end() ? TokenFamily::neutral : known->family;
}

std::int64_t estimate_tokens(std::string_view text) noexcept {
    return estimate_tokens(text, TokenFamily::neutral);
}

std::int64_t estimate_tokens(std::string_view text, TokenFamily family) noexcept {
    const auto& weights = kWeights[static_cast<std::size_t>(family)];
    std::int64_t sixtieths = 0;
    for (const char c : text) {
        sixtieths += weights[static_cast<unsigned char>(c)];
    }
    return (sixtieths + kUnit - 1) / kUnit + (sixtieths == 0 && !text.empty() ? 1 : 0);
}

}  // namespace confab::llm
