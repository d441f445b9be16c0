#include "review/prometheus_text.hpp"

#include <cstdlib>

#include "base/text.hpp"

namespace confab::review {

namespace {

// After the name, and after the labels if there are any, whose values may hold anything in quotation marks.
std::size_t value_begin(std::string_view line) {
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (quoted && line[i] == '\\') {
            ++i;
        } else if (line[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && line[i] == ' ' && (line.find('{') > i || line[i - 1] == '}')) {
            return i;
        }
    }
    return std::string_view::npos;
}

}  // namespace

std::map<std::string, double> parse_prometheus_text(std::string_view text) {
    std::map<std::string, double> sums;
    while (!text.empty()) {
        const std::string_view line = base::trim(text.substr(0, text.find('\n')));
        text.remove_prefix(std::min(text.size(), text.find('\n') == text.npos ? text.size() : text.find('\n') + 1));
        if (line.empty() || line.front() == '#') {
            continue;
        }
        const std::size_t at = value_begin(line);
        if (at == std::string_view::npos) {
            continue;
        }
        const std::string number(base::trim(line.substr(at)));
        char* end = nullptr;
        const double value = std::strtod(number.c_str(), &end);
        if (end != number.c_str()) {
            sums[std::string(line.substr(0, line.find_first_of("{ ")))] += value;
        }
    }
    return sums;
}

}  // namespace confab::review
