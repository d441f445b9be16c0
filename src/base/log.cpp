#include "base/log.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>

#include <spdlog/sinks/stdout_sinks.h>

#include "base/json.hpp"

namespace confab::base {

namespace {

bool is_key_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

// Where the next ` key=` begins, at its space; npos when there is none.
std::size_t find_field(std::string_view line, std::size_t from) {
    for (std::size_t space = line.find(' ', from); space != std::string_view::npos; space = line.find(' ', space + 1)) {
        std::size_t end = space + 1;
        while (end < line.size() && is_key_character(line[end])) {
            ++end;
        }
        if (end > space + 1 && end < line.size() && line[end] == '=') {
            return space;
        }
    }
    return std::string_view::npos;
}

// Where the value that begins at `from` ends. A quoted one may hold anything but a quote before a field or the end.
std::size_t end_of_value(std::string_view line, std::size_t from) {
    const bool quoted = from < line.size() && line[from] == '"';
    std::size_t next = find_field(line, from);
    while (quoted && next != std::string_view::npos && (next < from + 2 || line[next - 1] != '"')) {
        next = find_field(line, next + 1);
    }
    return std::min(next, line.size());
}

bool is_whole_number(std::string_view text) {
    return !text.empty() && text.size() <= 15 && (text == "0" || text.front() != '0') &&
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

class JsonLines final : public spdlog::formatter {
public:
    void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
        std::string line = R"({"time":")";
        append_time(line, message.time);
        const auto level = spdlog::level::to_string_view(message.level);
        line.append(R"(","level":")").append(level.data(), level.size()).append("\",");
        append_log_fields(line, {message.payload.data(), message.payload.size()});
        line += "}\n";
        out.append(line.data(), line.data() + line.size());
    }

    std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonLines>(); }

private:
    static void append_time(std::string& line, std::chrono::system_clock::time_point time) {
        const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
        const auto fraction = std::chrono::duration_cast<std::chrono::milliseconds>(
            time - std::chrono::system_clock::from_time_t(seconds)
        );
        std::tm parts{};
        gmtime_r(&seconds, &parts);
        char text[32];
        line.append(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.", &parts));
        const std::string milliseconds = std::to_string(1'000 + fraction.count() % 1'000);
        line.append(milliseconds, 1).append("Z");
    }
};

}  // namespace

void init_log(const std::string& level, LogFormat format) {
    auto logger = spdlog::stderr_logger_mt("confab");
    if (format == LogFormat::json) {
        logger->set_formatter(std::make_unique<JsonLines>());
    } else {
        logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    }
    logger->set_level(spdlog::level::from_str(level));
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
}

void append_log_fields(std::string& out, std::string_view line) {
    const auto member = [&out](std::string_view name) {
        out += '"';
        append_escaped(out, name);
        out += "\":";
    };
    const auto text = [&out](std::string_view value) {
        out += '"';
        append_escaped(out, value);
        out += '"';
    };
    std::size_t at = find_field(line, 0);
    member("event");
    text(line.substr(0, at));
    while (at < line.size()) {
        const std::size_t equals = line.find('=', at);
        const std::size_t end = end_of_value(line, equals + 1);
        std::string_view value = line.substr(equals + 1, end - equals - 1);
        out += ',';
        member(line.substr(at + 1, equals - at - 1));
        if (is_whole_number(value) || value == "true" || value == "false") {
            out += value;
        } else {
            if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
                value = value.substr(1, value.size() - 2);
            }
            text(value);
        }
        at = end;
    }
}

}  // namespace confab::base
