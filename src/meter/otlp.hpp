// Spans as OTLP/HTTP wants them: JSON after opentelemetry-proto, collector/trace/v1 (ids in hexadecimal, times in
// nanoseconds as text).
#pragma once

#include <span>
#include <string>

#include "meter/trace.hpp"

namespace confab::meter {

// `version` is the program's, `instance` tells this process from others.
std::string render_otlp(std::span<const Span> spans, const std::string& version, const std::string& instance);

}  // namespace confab::meter
