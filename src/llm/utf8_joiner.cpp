#include "llm/utf8_joiner.hpp"

#include "base/text.hpp"

namespace confab::llm {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

unsigned byte_at(std::string_view text, std::size_t i) {
    return static_cast<unsigned char>(text[i]);
}

bool is_surrogate(std::string_view text) {
    return text.size() >= 3 && byte_at(text, 0) == 0xED && byte_at(text, 1) >= 0xA0 && byte_at(text, 1) <= 0xBF &&
           (byte_at(text, 2) & 0xC0) == 0x80;
}

bool is_leading_surrogate(std::string_view text) {
    return is_surrogate(text) && byte_at(text, 1) <= 0xAF;
}

bool is_trailing_surrogate(std::string_view text) {
    return is_surrogate(text) && byte_at(text, 1) >= 0xB0;
}

// True when more bytes could turn the whole of `text` into one character.
bool could_complete(std::string_view text) {
    if (is_leading_surrogate(text)) {
        const std::string_view partner = text.substr(3);
        return partner.empty() || partner == "\xED" ||
               (partner.size() == 2 && partner[0] == '\xED' && byte_at(partner, 1) >= 0xB0);
    }
    return base::utf8_incomplete_tail(text) == text.size();
}

unsigned low_bits(std::string_view surrogate) {
    return (byte_at(surrogate, 1) & 0x0F) << 6 | (byte_at(surrogate, 2) & 0x3F);
}

// The pair's character lies above U+FFFF, so it has four bytes.
void append_pair(std::string& out, std::string_view pair) {
    const unsigned code = 0x10000 + (low_bits(pair) << 10) + low_bits(pair.substr(3));
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
}

}  // namespace

std::string_view Utf8Joiner::join(std::string_view piece, std::string& scratch) {
    if (tail_.empty() && base::is_utf8(piece)) {
        return piece;
    }
    const std::string joined = tail_.append(piece);
    tail_.clear();
    scratch.clear();
    std::string_view rest = joined;
    while (!rest.empty()) {
        std::size_t length = base::utf8_sequence_length(rest);
        if (length != 0) {
            scratch.append(rest.substr(0, length));
        } else if (is_leading_surrogate(rest) && is_trailing_surrogate(rest.substr(3))) {
            append_pair(scratch, rest);
            length = 6;
        } else if (could_complete(rest)) {
            tail_.assign(rest);
            break;
        } else {
            scratch += kReplacement;
            length = is_surrogate(rest) ? 3 : 1;
        }
        rest.remove_prefix(length);
    }
    return scratch;
}

std::string_view Utf8Joiner::finish() {
    if (tail_.empty()) {
        return {};
    }
    tail_.clear();
    return kReplacement;
}

std::string valid_utf8(std::string_view text) {
    Utf8Joiner joiner;
    std::string scratch;
    std::string valid(joiner.join(text, scratch));
    valid += joiner.finish();
    return valid;
}

}  // namespace confab::llm
