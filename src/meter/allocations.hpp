// How often memory is allocated: a counting operator new (allocations.cpp). Each thread counts for itself in a slot of
// its own, so that counting costs an addition and no shared cache line. What C libraries allocate (SQLite, libcurl) is
// not seen; under a sanitizer its hook is used, which sees everything.
#pragma once

#include <cstdint>

namespace confab::meter {

struct Allocations {
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;  // asked for, not what the allocator rounds it up to
};

// Of all threads, since the start. May lag behind other threads by what they are just doing.
Allocations allocations();

}  // namespace confab::meter
