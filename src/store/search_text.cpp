#include "store/search_text.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

namespace confab::store {

namespace {

char32_t decode(std::string_view text, std::size_t length) {
    const auto byte = [&](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[i])); };
    switch (length) {
        case 2: return ((byte(0) & 0x1FU) << 6U) | (byte(1) & 0x3FU);
        case 3: return ((byte(0) & 0x0FU) << 12U) | ((byte(1) & 0x3FU) << 6U) | (byte(2) & 0x3FU);
        case 4:
            return ((byte(0) & 0x07U) << 18U) | ((byte(1) & 0x3FU) << 12U) | ((byte(2) & 0x3FU) << 6U) |
                   (byte(3) & 0x3FU);
        default: return byte(0);
    }
}

// U+00C0 .. U+017F without accents and in lower case; '.' where a letter has none.
constexpr std::string_view kLatin =
    "aaaaaa.ceeeeiiii.nooooo..uuuuy..aaaaaa.ceeeeiiii.nooooo..uuuuy.y"
    "aaaaaaccccccccdd..eeeeeeeeeegggggggghh..iiiiiiiii...jjkk.llllll....nnnnnn...oooooo..rrrrrrsssssssstttt"
    "..uuuuuuuuuuuuwwyyyzzzzzz.";
static_assert(kLatin.size() == 192);

char32_t fold(char32_t character) {
    if (character < 0x80) {
        return character >= 'A' && character <= 'Z' ? character + 32 : character;
    }
    if (character >= 0xC0 && character < 0xC0 + kLatin.size() && kLatin[character - 0xC0] != '.') {
        return static_cast<char32_t>(kLatin[character - 0xC0]);
    }
    if ((character >= 0x391 && character <= 0x3A9) || (character >= 0x410 && character <= 0x42F)) {
        return character + 32;  // Greek and Cyrillic capitals
    }
    return character >= 0x400 && character <= 0x40F ? character + 80 : character;
}

void append_text(std::string& text, std::string_view part) {
    if (!part.empty() && text.size() < kIndexedBytesMax) {
        text += text.empty() ? "" : "\n";
        text += base::utf8_prefix(part, kIndexedBytesMax - text.size());
    }
}

}  // namespace

std::string searchable_text(BodyFormat format, std::string_view body) {
    if (format == BodyFormat::text) {
        return std::string(base::utf8_prefix(body, kIndexedBytesMax));
    }
    std::string text;
    const auto content = base::parse_json(body);
    if (!content || !content->is_array()) {
        return text;
    }
    for (const auto& part : content->get_array()) {
        if (part.is_object()) {
            append_text(text, base::find_string(part.get_object(), "text"));
            append_text(text, base::find_string(part.get_object(), "refusal"));
        }
    }
    return text;
}

Folded fold_at(std::string_view text, std::size_t at) {
    const std::size_t length = base::utf8_sequence_length(text.substr(at));
    return length == 0 ? Folded{0xFFFD, 1} : Folded{fold(decode(text.substr(at), length)), length};
}

bool is_cjk(char32_t c) {
    return (c >= 0x3040 && c <= 0x30FF) || (c >= 0x31F0 && c <= 0x31FF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7AF) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0xFF66 && c <= 0xFF9F) || (c >= 0x20000 && c <= 0x3134F);
}

bool is_word_character(char32_t c) {
    if (c < 0x80) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }
    const bool punctuation = c < 0xAA || (c >= 0x2000 && c <= 0x206F) || (c >= 0x2190 && c <= 0x2BFF) ||
                             (c >= 0x3000 && c <= 0x303F) || (c >= 0xFF00 && c <= 0xFF0F) || c == 0xFFFD;
    return !punctuation;
}

std::string index_words(std::string_view text) {
    std::string words;
    words.reserve(text.size());
    std::string_view previous;  // character of the run, when there was one
    for (std::size_t at = 0; at < text.size();) {
        const Folded folded = fold_at(text, at);
        const std::string_view character = text.substr(at, folded.bytes);
        if (is_cjk(folded.character)) {
            words += previous.empty() ? " " : "";
            if (!previous.empty()) {
                words.append(previous).append(character).append(" ");
            }
            previous = character;
        } else {
            if (!previous.empty()) {
                words.append(previous).append(" ");
                previous = {};
            }
            words.append(character);
        }
        at += folded.bytes;
    }
    words.append(previous);
    return words;
}

}  // namespace confab::store
