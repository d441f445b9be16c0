#include "transfer/value_parser.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "transfer/source_model.hpp"

namespace confab::transfer {

namespace json = base::json;

namespace {

constexpr double kMillisecondsFrom = 1e11;  // as seconds that would be the year 5138

// The code unit of \uXXXX at the start of `text`; -1: none.
int escaped_unit(std::string_view text) {
    if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') {
        return -1;
    }
    int unit = 0;
    for (const char c : text.substr(2, 4)) {
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

std::string mend_surrogates(std::string_view text) {
    std::string mended(text);
    for (std::size_t i = 0; i + 1 < mended.size(); ++i) {
        if (mended[i] != '\\') {
            continue;
        }
        const std::string_view here = std::string_view(mended).substr(i);
        const int unit = escaped_unit(here);
        if (unit < 0xD800 || unit > 0xDFFF) {
            ++i;  // whatever is escaped
            continue;
        }
        const int low = unit < 0xDC00 ? escaped_unit(here.substr(6)) : -1;
        if (low >= 0xDC00 && low <= 0xDFFF) {
            i += 11;
        } else {
            mended.replace(i + 2, 4, "fffd");
            i += 5;
        }
    }
    return mended;
}

}  // namespace

base::Result<json::value> parse_value(std::string_view text, json::storage_ptr storage) {
    auto value = base::parse_json(text, storage);
    if (value || text.find("\\u") == std::string_view::npos) {
        return value;
    }
    return base::parse_json(mend_surrogates(text), std::move(storage));
}

store::UnixSeconds read_time(const json::value* value) {
    if (value == nullptr) {
        return 0;
    }
    if (value->is_number()) {
        const double number = value->to_number<double>();
        const double seconds = number >= kMillisecondsFrom ? number / 1000 : number;
        return std::isfinite(seconds) && seconds > 0 && seconds < kMillisecondsFrom
                   ? static_cast<store::UnixSeconds>(seconds)
                   : 0;
    }
    if (!value->is_string()) {
        return 0;
    }
    std::tm parts{};
    const std::string text(value->get_string());
    if (std::sscanf(
            text.c_str(),
            "%4d-%2d-%2dT%2d:%2d:%2d",
            &parts.tm_year,
            &parts.tm_mon,
            &parts.tm_mday,
            &parts.tm_hour,
            &parts.tm_min,
            &parts.tm_sec
        ) != 6) {
        return 0;
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    const auto time = static_cast<store::UnixSeconds>(::timegm(&parts));
    const auto zone = text.find_first_of("+-", 19);  // +02:00; Z or nothing: UTC
    int hours = 0;
    int minutes = 0;
    if (zone != std::string::npos && std::sscanf(text.c_str() + zone + 1, "%2d:%2d", &hours, &minutes) == 2) {
        const store::UnixSeconds offset = hours * 3600 + minutes * 60;
        return text[zone] == '+' ? time - offset : time + offset;
    }
    return time;
}

std::string read_id(const json::value* value) {
    if (value == nullptr) {
        return {};
    }
    if (value->is_string()) {
        const json::string& text = value->get_string();
        return std::string(text.data(), std::min(text.size(), kSourceIdBytesMax));
    }
    return value->is_number() ? base::to_string(*value) : std::string();
}

bool read_flag(const json::object& object, std::string_view name) {
    const json::value* value = base::find(object, name);
    return value != nullptr && value->is_bool() && value->get_bool();
}

const json::object* find_object(const json::object& object, std::string_view name) {
    const json::value* value = base::find(object, name);
    return value == nullptr ? nullptr : value->if_object();
}

const json::array* find_array(const json::object& object, std::string_view name) {
    const json::value* value = base::find(object, name);
    return value == nullptr ? nullptr : value->if_array();
}

json::array* find_array(json::object& object, std::string_view name) {
    json::value* value = object.if_contains(name);
    return value == nullptr ? nullptr : value->if_array();
}

}  // namespace confab::transfer
