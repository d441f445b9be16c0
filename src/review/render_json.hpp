// The report as JSON, for programs.
#pragma once

#include <string>

#include "review/report.hpp"

namespace confab::review {

// {"object":"review","version","date","machine","amount","seconds","notes":[],"subjects":[{"name","description","score",
// "headings":[{"title","score"}],"measurements":[{"id","heading","aspect","title","unit","value","score","evidence"}],
// "findings":[],"roadmap":[],"lengths":[],"timeline":{},"told":{}}],"rules":[]}. A score or value that is not there is null.
std::string render_json(const Report& report);

}  // namespace confab::review
