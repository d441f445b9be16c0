#include "llm/familiar_events.hpp"

#include <array>
#include <cstring>

namespace confab::llm {

namespace {

constexpr std::size_t kFrameBytesMax = 1024;  // of an event besides its text; larger ones are looked at each time

const char* find_byte(std::string_view text, char byte) {
    return text.empty() ? nullptr : static_cast<const char*>(std::memchr(text.data(), byte, text.size()));
}

bool is_one_line(std::string_view text) {
    for (const char c : text) {
        if (c == '\n' || c == '\r') {
            return false;
        }
    }
    return true;
}

}  // namespace

std::size_t FamiliarEvents::match(std::string_view bytes, std::size_t& events) const {
    std::string_view rest = bytes;
    while (!before_.empty() && rest.starts_with(before_)) {
        const std::string_view from_text = rest.substr(before_.size());
        const char* quote = find_byte(from_text, '"');
        if (quote == nullptr) {
            break;
        }
        const auto text_bytes = static_cast<std::size_t>(quote - from_text.data());
        if (!from_text.substr(text_bytes).starts_with(after_) || !is_one_line(from_text.substr(0, text_bytes))) {
            break;  // after an escaped quote, for instance
        }
        rest = from_text.substr(text_bytes + after_.size());
        ++events;
    }
    return bytes.size() - rest.size();
}

void FamiliarEvents::learn(std::string_view data) {
    static constexpr std::array<std::string_view, 2> kKeys{"\"content\":\"", "\"content\": \""};
    before_.clear();
    if (data.find('\n') != std::string_view::npos) {
        return;  // of several lines
    }
    for (const std::string_view key : kKeys) {
        const std::size_t at = data.find(key);
        if (at == std::string_view::npos) {
            continue;
        }
        const std::size_t begin = at + key.size();
        const std::size_t end = data.find_first_of("\"\\", begin);
        if (end == std::string_view::npos || data[end] != '"' || data.size() - (end - begin) > kFrameBytesMax) {
            return;
        }
        before_.append("data: ").append(data.substr(0, begin));
        after_.assign(data.substr(end)).append("\n\n");
        return;
    }
}

}  // namespace confab::llm
