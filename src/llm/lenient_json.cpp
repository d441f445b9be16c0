#include "llm/lenient_json.hpp"

#include <algorithm>
#include <charconv>

#include "base/text.hpp"

namespace confab::llm {

namespace {

namespace json = base::json;

// The code unit of a \uXXXX escape at the start of `text`, 0 when there is none.
unsigned escaped_unit(std::string_view text) {
    if (text.size() < 6 || !text.starts_with("\\u")) {
        return 0;
    }
    unsigned unit = 0;
    const auto [end, ec] = std::from_chars(text.data() + 2, text.data() + 6, unit, 16);
    return ec == std::errc() && end == text.data() + 6 ? unit : 0;
}

bool is_leading(unsigned unit) {
    return unit >= 0xD800 && unit <= 0xDBFF;
}

bool is_trailing(unsigned unit) {
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

void append_surrogate(std::string& out, unsigned unit) {
    out += static_cast<char>(0xE0 | unit >> 12);
    out += static_cast<char>(0x80 | (unit >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (unit & 0x3F));
}

// Replaces each \uD800..\uDFFF escape without a partner. The result is shorter when there was one.
std::string replace_lone_surrogates(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        std::size_t length = 1;
        if (text.front() == '\\') {
            const unsigned unit = escaped_unit(text);
            if (is_leading(unit) && is_trailing(escaped_unit(text.substr(6)))) {
                length = 12;
            } else if (is_leading(unit) || is_trailing(unit)) {
                append_surrogate(result, unit);
                text.remove_prefix(6);
                continue;
            } else {
                length = std::min<std::size_t>(2, text.size());  // the escaped character may be a backslash itself
            }
        }
        result.append(text.substr(0, length));
        text.remove_prefix(length);
    }
    return result;
}

}  // namespace

std::expected<ParsedPrefix, JsonFlaw> parse_prefix(std::string_view text, const json::storage_ptr& storage) {
    json::parse_options options;
    options.max_depth = base::kJsonDepthMax;
    options.allow_invalid_utf8 = true;
    std::array<unsigned char, 2048> scratch;
    // Not stream_parser: at the end of its input that one allocates, to be able to go on.
    json::parser parser(storage, options, scratch.data(), scratch.size());
    parser.reset(storage);
    json::error_code ec;
    const std::size_t used = parser.write_some(text.data(), text.size(), ec);
    if (ec) {
        return std::unexpected(ec == json::error::incomplete ? JsonFlaw::cut_short : JsonFlaw::malformed);
    }
    return ParsedPrefix{parser.release(), used};
}

std::expected<json::value, JsonFlaw> parse_whole(std::string_view text, const json::storage_ptr& storage) {
    auto parsed = parse_prefix(text, storage);
    std::string repaired;
    if (!parsed) {
        repaired = replace_lone_surrogates(text);
        if (repaired.size() == text.size()) {
            return std::unexpected(parsed.error());
        }
        text = repaired;
        parsed = parse_prefix(text, storage);
    }
    if (!parsed) {
        return std::unexpected(parsed.error());
    }
    if (!base::trim(text.substr(parsed->bytes)).empty()) {
        return std::unexpected(JsonFlaw::malformed);
    }
    return std::move(parsed->value);
}

}  // namespace confab::llm
