// Logging: one line per event on standard error, key=value, never message contents or secrets.
#pragma once

#include <string>

#include <spdlog/spdlog.h>

namespace confab::base {

// `level` is one of trace, debug, info, warn, error, off. Call once, before the first thread starts.
void init_log(const std::string& level);

}  // namespace confab::base
