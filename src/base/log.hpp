// Logging: one line per event on standard error: the event's name, then key=value; never message contents or secrets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <spdlog/spdlog.h>

namespace confab::base {

enum class LogFormat : std::uint8_t {
    text,  // for people
    json,  // a JSON object for each line, for programs
};

// `level` is one of trace, debug, info, warn, error, off. Call once, before the first thread starts.
void init_log(const std::string& level, LogFormat format = LogFormat::text);

// Takes `name key=value other="two words"` apart and appends it as the members "event", "key" and "other" to a JSON object.
// Whole numbers become numbers, true and false booleans.
void append_log_fields(std::string& out, std::string_view line);

}  // namespace confab::base
