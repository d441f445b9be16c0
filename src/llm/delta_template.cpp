#include "llm/delta_template.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace confab::llm {

namespace {

constexpr int kAttemptsMax = 8;
constexpr std::size_t kTemplateBytesMax = 1024;  // per stream; larger events are parsed

// A JSON string's inside that stands for itself.
bool is_literal(std::string_view text) {
    const bool plain = std::ranges::none_of(text, [](char c) {
        return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
    });
    return plain && base::is_utf8(text);
}

}  // namespace

std::optional<std::string_view> DeltaTemplate::match(std::string_view data) const {
    if (before_.empty() || data.size() < before_.size() + after_.size() || !data.starts_with(before_) ||
        !data.ends_with(after_)) {
        return std::nullopt;
    }
    const std::string_view text = data.substr(before_.size(), data.size() - before_.size() - after_.size());
    return is_literal(text) ? std::optional(text) : std::nullopt;
}

void DeltaTemplate::learn(std::string_view data, std::string_view text) {
    if (attempts_ == kAttemptsMax || data.size() - text.size() > kTemplateBytesMax || text.empty() ||
        !is_literal(text)) {
        return;
    }
    ++attempts_;
    before_.clear();
    const std::string quoted = '"' + std::string(text) + '"';
    const std::size_t at = data.find(quoted);
    if (at == std::string_view::npos || data.find(quoted, at + 1) != std::string_view::npos) {
        return;  // escaped, or said twice
    }
    const std::string_view key = data.substr(0, at);
    if (!key.ends_with("\"content\":") && !key.ends_with("\"content\": ")) {
        return;
    }
    before_ = data.substr(0, at + 1);
    after_ = data.substr(at + 1 + text.size());
}

}  // namespace confab::llm
