#include "api/usage_json.hpp"

#include <ctime>

namespace confab::api {

namespace {

constexpr std::int64_t kDaysDefault = 30;
constexpr double kBillion = 1e9;

std::string render_utc(store::UnixSeconds time, const char* format) {
    const std::time_t value = time;
    std::tm parts{};
    gmtime_r(&value, &parts);
    char text[40];
    return std::string(text, std::strftime(text, sizeof text, format, &parts));
}

}  // namespace

std::string render_day(store::DayNo day) {
    return render_utc(day * store::kSecondsOfDay, "%Y-%m-%d");
}

std::string render_time(store::UnixSeconds time) {
    return render_utc(time, "%Y-%m-%dT%H:%M:%SZ");
}

double amount_of(std::int64_t cost) {
    return static_cast<double>(cost) / kBillion;
}

void render_sum_members(base::JsonWriter& out, const store::UsageSum& sum) {
    out.member("requests", sum.requests);
    out.member("input_tokens", sum.input_tokens);
    out.member("output_tokens", sum.output_tokens);
    out.member("cost", amount_of(sum.cost));
}

base::Result<std::int64_t> parse_days_back(const web::Request& request) {
    const auto text = request.query_value("days");
    if (!text) {
        return kDaysDefault;
    }
    std::int64_t days = 0;
    const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), days);
    if (ec != std::errc{} || end != text->data() + text->size() || days < 1 || days > store::kUsageDaysMax) {
        return base::invalid("days", "days is a number from 1 to 400.");
    }
    return days;
}

// A spreadsheet runs what begins with one of these, also inside quotes; an apostrophe before it makes it text.
void append_csv_text(std::string& out, std::string_view text) {
    constexpr std::string_view kStartsFormula = "=+-@\t\r\n";
    out += '"';
    if (!text.empty() && kStartsFormula.find(text.front()) != std::string_view::npos) {
        out += '\'';
    }
    for (const char c : text) {
        if (c == '"') {
            out += '"';
        }
        out += c == '\r' || c == '\n' || c == '\t' ? ' ' : c;
    }
    out += '"';
}

}  // namespace confab::api
