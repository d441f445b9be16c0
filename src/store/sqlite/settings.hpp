// Small values by name.
#pragma once

#include <optional>
#include <string>

#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

Result<std::optional<std::string>> get_setting(Connection& db, const std::string& name);
Status put_setting(Connection& db, const std::string& name, const std::string& value);

}  // namespace confab::store::sqlite
