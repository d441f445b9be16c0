// The text format of Prometheus -> numbers; what a server says about itself, beside what is measured from outside.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace confab::review {

// The sum of each metric over its labels. Lines that are no samples are passed over.
std::map<std::string, double> parse_prometheus_text(std::string_view text);

}  // namespace confab::review
