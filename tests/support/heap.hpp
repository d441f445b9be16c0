// What the heap does, by the hooks of AddressSanitizer, which sees every allocation: of C++, SQLite and libcurl alike. Other
// builds have no hooks; their tests of the heap are skipped, and `./test.sh` always runs this one.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
// Of the sanitizers' allocator_interface.h, which not every package of the compiler has.
extern "C" int __sanitizer_install_malloc_and_free_hooks(
    void (*allocated)(const volatile void*, std::size_t),
    void (*freed)(const volatile void*)
);
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace confab::support {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kHeapIsCounted = true;
inline std::atomic<std::uint64_t> heap_allocations{0};
inline const int heap_hook = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t) { heap_allocations.fetch_add(1, std::memory_order_relaxed); },
    [](const volatile void*) {}
);

inline std::size_t heap_bytes() {
    return __sanitizer_get_current_allocated_bytes();
}
#else
inline constexpr bool kHeapIsCounted = false;
inline std::atomic<std::uint64_t> heap_allocations{0};

inline std::size_t heap_bytes() {
    return 0;
}
#endif

}  // namespace confab::support
