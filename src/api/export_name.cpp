#include "api/export_name.hpp"

#include <cstdint>

#include "base/ids.hpp"
#include "base/text.hpp"

namespace confab::api {

namespace {

constexpr std::size_t kNameBytesMax = 120;  // before the extension; file systems take 255

// Characters that mean something to a file system or a shell, or turn a name around.
bool is_plain_ascii(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
           c == '.';
}

// U+0080..U+009F, U+200B..U+200F, U+2028..U+202E, U+2060..U+206F, U+FEFF.
bool is_invisible(std::string_view character) {
    if (character.size() == 2) {
        return character[0] == '\xC2' && static_cast<unsigned char>(character[1]) < 0xA0;
    }
    if (character.size() != 3) {
        return false;
    }
    const auto second = static_cast<unsigned char>(character[1]);
    const auto third = static_cast<unsigned char>(character[2]);
    if (character[0] == '\xE2' && second == 0x80) {
        return (third >= 0x8B && third <= 0x8F) || (third >= 0xA8 && third <= 0xAE);
    }
    return (character[0] == '\xE2' && second == 0x81 && third >= 0xA0) || character == "\xEF\xBB\xBF";
}

std::string clean(std::string_view title) {
    std::string name;
    while (!title.empty() && name.size() < kNameBytesMax) {
        const std::size_t length = base::utf8_sequence_length(title);
        const std::string_view character = title.substr(0, length == 0 ? 1 : length);
        title.remove_prefix(character.size());
        const bool kept = length > 1 ? !is_invisible(character) : length == 1 && is_plain_ascii(character[0]);
        const bool dot_first = name.empty() && character == ".";
        if (kept && !dot_first) {
            name += character;
        } else if (!name.empty() && name.back() != '-') {
            name += '-';
        }
    }
    while (name.ends_with('-') || name.ends_with('.')) {
        name.pop_back();
    }
    return name.empty() ? "conversation" : name;
}

}  // namespace

std::string export_disposition(std::string_view title, std::string_view extension) {
    const std::string name = clean(title);
    std::string ascii;
    std::string escaped;
    for (const char c : name) {
        if (is_plain_ascii(c)) {
            ascii += c;
            escaped += c;
        } else {
            const auto byte = static_cast<std::uint8_t>(c);
            escaped.append("%").append(base::to_hex({&byte, 1}));
        }
    }
    if (ascii.find_first_not_of("-_.") == std::string::npos) {
        ascii = "conversation";
    }
    return "attachment; filename=\"" + ascii + "." + std::string(extension) + "\"; filename*=UTF-8''" + escaped + "." +
           std::string(extension);
}

}  // namespace confab::api
