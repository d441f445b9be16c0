// The report as Markdown, for people and for issues.
#pragma once

#include <string>

#include "review/report.hpp"

namespace confab::review {

// What comes from outside (names, evidence) is escaped: it cannot make links, tables, tags or code of its own.
std::string render_markdown(const Report& report);

// The rules as a table, as docs/review.md has them.
std::string render_rules_markdown();

}  // namespace confab::review
