// Parsing one value of an import file, more patiently than a request's.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"
#include "store/rows.hpp"

namespace confab::transfer {

// Half a pair of \u escapes, which some programs write, becomes U+FFFD; everything else as of base::parse_json.
base::Result<base::json::value> parse_value(std::string_view text, base::json::storage_ptr storage = {});

// Unix seconds from a number (seconds, or milliseconds when it is that large) or an ISO 8601 text; 0: none.
store::UnixSeconds read_time(const base::json::value* value);

// A string, or the digits of a number; empty for anything else.
std::string read_id(const base::json::value* value);

bool read_flag(const base::json::object& object, std::string_view name);

const base::json::object* find_object(const base::json::object& object, std::string_view name);
const base::json::array* find_array(const base::json::object& object, std::string_view name);
base::json::array* find_array(base::json::object& object, std::string_view name);

}  // namespace confab::transfer
