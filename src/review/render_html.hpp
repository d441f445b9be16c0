// The report as one self-contained HTML file: no script, no font, nothing that is fetched; plots are inline SVG, and
// dark where the reader's system is.
#pragma once

#include <string>

#include "review/report.hpp"

namespace confab::review {

std::string render_html(const Report& report);

}  // namespace confab::review
