#include "store/organise_names.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "store/organise_rows.hpp"

namespace confab::store {

namespace {

using base::Result;

bool is_control(char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

Result<std::string> normalise_tag(std::string_view text, std::string_view param) {
    std::string name;
    for (const char c : text) {
        if (is_blank(c)) {
            if (!name.empty() && name.back() != ' ') {
                name += ' ';
            }
        } else if (is_control(c)) {
            return base::invalid(std::string(param), "A tag has no control characters.", "invalid_tag");
        } else {
            name += c;
        }
    }
    name = base::trim(name);
    if (name.empty() || name.size() > kTagBytesMax) {
        return base::invalid(
            std::string(param),
            "A tag has from 1 to " + std::to_string(kTagBytesMax) + " bytes.",
            "invalid_tag"
        );
    }
    return name;
}

Result<std::string> normalise_folder_name(std::string_view text) {
    const std::string_view name = base::trim(text);
    if (name.empty() || std::ranges::any_of(name, is_control)) {
        return base::invalid("name", "A folder needs a name, without control characters.", "invalid_name");
    }
    return std::string(name);
}

}  // namespace confab::store
