// Checkup: is a database sound, and does it hold what it promises? For `confab doctor`; no store may have it open.
// Blocking, and as long as reading everything takes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace confab::store {

struct Finding {
    bool serious = true;  // false: worth knowing, not a defect
    std::string what;
    std::string advice;  // empty: none
};

// `progress(text)` is called before each step. Errors: what keeps it from looking at all.
base::Result<std::vector<Finding>> check_database(
    const std::string& database,
    const std::function<void(const std::string& what)>& progress
);

}  // namespace confab::store
