// The name under which a browser keeps an export.
#pragma once

#include <string>
#include <string_view>

namespace confab::api {

// Content-Disposition of a download named after `title`, which may hold anything: no control character, no separator of
// paths, nothing invisible and no leading dot gets into the name (RFC 6266, RFC 8187).
std::string export_disposition(std::string_view title, std::string_view extension);

}  // namespace confab::api
