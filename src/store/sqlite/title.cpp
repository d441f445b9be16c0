#include "store/sqlite/title.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

namespace confab::store::sqlite {

namespace {

constexpr std::size_t kJsonBytesMax = 256 * 1024;  // a larger body is not parsed only for its title
constexpr std::string_view kEllipsis = "…";

bool is_blank(char c) {
    return static_cast<unsigned char>(c) <= ' ';
}

// Words separated by single blanks, a little more than a title at most.
std::string first_words(std::string_view text) {
    std::string words;
    for (const char c : text) {
        if (!is_blank(c)) {
            words += c;
        } else if (!words.empty() && words.back() != ' ') {
            words += ' ';
        }
        if (words.size() > kTitleBytesMax + 8) {
            break;
        }
    }
    return std::string(base::trim(words));
}

std::string first_text_of(std::string_view content) {
    if (content.size() > kJsonBytesMax) {
        return {};
    }
    const auto parsed = base::parse_json(content);
    if (!parsed || !parsed->is_array()) {
        return {};
    }
    for (const auto& part : parsed->get_array()) {
        if (part.is_object()) {
            if (std::string text = first_words(base::find_string(part.get_object(), "text")); !text.empty()) {
                return text;
            }
        }
    }
    return {};
}

}  // namespace

std::string title_from(BodyFormat format, std::string_view body) {
    const std::string words = format == BodyFormat::text ? first_words(body) : first_text_of(body);
    if (words.size() <= kTitleBytesMax) {
        return words;
    }
    std::string_view cut = base::utf8_prefix(words, kTitleBytesMax - kEllipsis.size());
    if (const auto blank = cut.rfind(' '); blank != std::string_view::npos && blank > kTitleBytesMax / 2) {
        cut = cut.substr(0, blank);
    }
    return std::string(cut) + std::string(kEllipsis);
}

}  // namespace confab::store::sqlite
