#include "app/complain.hpp"

#include <cstdio>

#include <fmt/format.h>

namespace confab::app {

int complain(const base::Error& error) {
    fmt::print(stderr, "confab: {}\n", error.message);
    return 1;
}

}  // namespace confab::app
