#include "base/json.hpp"

#include <cmath>

#include "base/bytes.hpp"
#include "base/text.hpp"

namespace confab::base {

std::size_t parsed_bytes(std::string_view text) {
    constexpr std::size_t kValueBytes = 40;  // a value of 24 bytes in an array that grows, a member of an object more
    std::size_t values = 1;
    for (const char c : text) {
        values += static_cast<std::size_t>((c == ',') | (c == '[') | (c == '{'));
    }
    return text.size() + values * kValueBytes;
}

Result<json::value> parse_json(std::string_view text, json::storage_ptr storage) {
    json::parse_options options;
    options.max_depth = kJsonDepthMax;
    json::stream_parser parser(storage, options);
    parser.reset(std::move(storage));  // the constructor's storage is for temporary use only
    json::error_code ec;
    std::size_t used = parser.write_some(text.data(), text.size(), ec);
    while (!ec && used < text.size() && std::string_view(" \t\r\n").find(text[used]) != std::string_view::npos) {
        ++used;
    }
    if (!ec && used < text.size()) {
        ec = json::error::extra_data;
    }
    if (!ec) {
        parser.finish(ec);
    }
    if (ec) {
        return fail(
            Errc::invalid_request,
            "The body is not valid JSON: " + ec.message() + " at byte " + std::to_string(used) + ".",
            "invalid_json"
        );
    }
    return parser.release();
}

void append_escaped(std::string& out, std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::size_t plain = 0;  // start of the run that needs no escape
    std::size_t i = 0;
    const auto flush = [&](std::size_t end) { out.append(text.data() + plain, end - plain); };
    while (i < text.size()) {
        while (text.size() - i >= 8 && !has_json_special(load_bytes(text.data() + i))) {
            i += 8;
        }
        if (i == text.size()) {
            break;
        }
        const auto c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != 0x7F) {
            ++i;
            continue;
        }
        if (c >= 0x80) {
            const std::size_t length = utf8_sequence_length(text.substr(i));
            if (length != 0) {
                i += length;
                continue;
            }
            flush(i);
            out += "\xEF\xBF\xBD";
            plain = ++i;
            continue;
        }
        flush(i);
        switch (c) {
            case '"': out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            case '\n': out += "\\n"; break;
            case '\r': out += "\\r"; break;
            case '\t': out += "\\t"; break;
            default:
                out += "\\u00";
                out += kHex[c >> 4];
                out += kHex[c & 0xF];
        }
        plain = ++i;
    }
    flush(text.size());
}

std::string to_string(const json::value& value) {
    return json::serialize(value);
}

const json::value* find(const json::object& object, std::string_view key) {
    return object.if_contains({key.data(), key.size()});
}

std::string_view find_string(const json::object& object, std::string_view key) {
    const json::value* member = find(object, key);
    if (member == nullptr || !member->is_string()) {
        return {};
    }
    const json::string& text = member->get_string();
    return {text.data(), text.size()};
}

void JsonWriter::value(double number) {
    comma();
    if (!std::isfinite(number)) {
        out_ += "null";
        return;
    }
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out_.append(digits, end);
}

}  // namespace confab::base
