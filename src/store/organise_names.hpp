// How names of tags and folders are kept, whether a request or an import brings them.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace confab::store {

// A tag's name: blanks at the ends gone, runs of blanks one. Error: invalid_request (invalid_tag), names `param`.
base::Result<std::string> normalise_tag(std::string_view text, std::string_view param);

// A folder's name, of any length: blanks at the ends gone. Error: invalid_request (invalid_name).
base::Result<std::string> normalise_folder_name(std::string_view text);

}  // namespace confab::store
