#include "web/router.hpp"

#include "base/text.hpp"

namespace confab::web {

namespace {

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> segments;
    while (!path.empty()) {
        path.remove_prefix(1);  // the slash
        const auto slash = path.find('/');
        segments.push_back(path.substr(0, slash));
        path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash);
    }
    return segments;
}

bool is_rest(std::string_view segment) {
    return segment.starts_with('{') && segment.ends_with("...}");
}

// The byte that the escape at the start of `text` stands for, -1 when it is no escape.
int decode_escape(std::string_view text) {
    if (text.size() < 3 || text[0] != '%') {
        return -1;
    }
    const int high = base::hex_value(text[1]);
    const int low = base::hex_value(text[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

std::string decode_query_part(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const int byte = decode_escape(text.substr(i));
        if (byte >= 0) {
            result += static_cast<char>(byte);
            i += 2;
        } else {
            result += text[i] == '+' ? ' ' : text[i];
        }
    }
    return result;
}

}  // namespace

Route& Router::add(Route route) {
    Entry entry;
    for (const std::string_view segment : split(route.pattern)) {
        entry.segments.emplace_back(segment);
    }
    entry.route = std::move(route);
    return routes_.emplace_back(std::move(entry)).route;
}

bool Router::matches(
    const Entry& entry,
    const std::vector<std::string_view>& segments,
    std::vector<std::string>& arguments
) {
    arguments.clear();
    const bool open_ended = !entry.segments.empty() && is_rest(entry.segments.back());
    if (open_ended ? segments.size() + 1 < entry.segments.size() : segments.size() != entry.segments.size()) {
        return false;
    }
    for (std::size_t i = 0; i < entry.segments.size(); ++i) {
        const std::string& pattern = entry.segments[i];
        if (is_rest(pattern)) {
            return true;
        }
        if (pattern.starts_with('{')) {
            if (segments[i].empty()) {
                return false;
            }
            arguments.emplace_back(segments[i]);
        } else if (pattern != segments[i]) {
            return false;
        }
    }
    return true;
}

base::Result<const Route*> Router::find(
    std::string_view method,
    std::string_view path,
    std::vector<std::string>& arguments,
    std::string& allowed
) const {
    const auto segments = split(path);
    const std::string_view effective = method == "HEAD" ? "GET" : method;
    for (const Entry& entry : routes_) {
        if (!matches(entry, segments, arguments)) {
            continue;
        }
        if (entry.route.method == effective) {
            return &entry.route;
        }
        allowed += allowed.empty() ? "" : ", ";
        allowed += entry.route.method;
    }
    arguments.clear();
    if (!allowed.empty()) {
        return base::fail(
            base::Errc::method_not_allowed,
            "This method is not allowed here; allowed: " + allowed + ".",
            "method_not_allowed"
        );
    }
    return base::not_found("There is nothing at this address.", "unknown_route");
}

std::optional<std::string> decode_path(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            if (text[i] == '\0' || text[i] == '\\') {
                return std::nullopt;
            }
            result += text[i];
            continue;
        }
        const int byte = decode_escape(text.substr(i));
        if (byte <= 0 || byte == '/' || byte == '\\') {
            return std::nullopt;
        }
        result += static_cast<char>(byte);
        i += 2;
    }
    if (!base::is_utf8(result)) {
        return std::nullopt;
    }
    return result;
}

std::vector<std::pair<std::string, std::string>> decode_query(std::string_view text) {
    std::vector<std::pair<std::string, std::string>> result;
    while (!text.empty()) {
        const auto end = text.find('&');
        const std::string_view part = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        if (part.empty()) {
            continue;
        }
        const auto equals = part.find('=');
        const std::string_view value = equals == std::string_view::npos ? std::string_view{} : part.substr(equals + 1);
        result.emplace_back(decode_query_part(part.substr(0, equals)), decode_query_part(value));
    }
    return result;
}

}  // namespace confab::web
