#include "meter/allocations.hpp"

#include <array>
#include <atomic>
#include <cstdlib>
#include <new>

// GCC says by a macro that a sanitizer allocates, clang by a feature.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONFAB_SANITIZER_COUNTS
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CONFAB_SANITIZER_COUNTS
#endif
#endif

#ifdef CONFAB_SANITIZER_COUNTS
// Of the sanitizers' allocator_interface.h, which not every package of the compiler has.
extern "C" int __sanitizer_install_malloc_and_free_hooks(
    void (*allocated)(const volatile void*, std::size_t),
    void (*freed)(const volatile void*)
);
#endif

namespace confab::meter {

namespace {

// Threads begin and end seldom: each has a slot for good, and those beyond the last share it.
constexpr std::size_t kSlots = 128;

struct alignas(64) AllocationSlot {
    std::atomic<std::uint64_t> count;
    std::atomic<std::uint64_t> bytes;
};

constinit std::array<AllocationSlot, kSlots> allocation_slots{};
constinit std::atomic<std::size_t> allocation_slots_taken{0};
constinit thread_local AllocationSlot* own_allocation_slot = nullptr;

// Not an atomic addition: only its thread writes to a slot. In the shared last one counts may get lost.
inline void count_allocation(std::size_t bytes) noexcept {
    AllocationSlot* slot = own_allocation_slot;
    if (slot == nullptr) [[unlikely]] {
        const std::size_t place = allocation_slots_taken.fetch_add(1, std::memory_order_relaxed);
        slot = &allocation_slots[place < kSlots ? place : kSlots - 1];
        own_allocation_slot = slot;
    }
    slot->count.store(slot->count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    slot->bytes.store(slot->bytes.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
}

#ifdef CONFAB_SANITIZER_COUNTS
[[maybe_unused]] const int allocation_hook = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t bytes) { count_allocation(bytes); },
    [](const volatile void*) {}
);
#endif

}  // namespace

Allocations allocations() {
    Allocations sum;
    for (const AllocationSlot& slot : allocation_slots) {
        sum.count += slot.count.load(std::memory_order_relaxed);
        sum.bytes += slot.bytes.load(std::memory_order_relaxed);
    }
    return sum;
}

}  // namespace confab::meter

#ifndef CONFAB_SANITIZER_COUNTS

// The other forms of the library (arrays, nothrow) come here; over-aligned memory does not, and is not counted.
void* operator new(std::size_t bytes) {
    confab::meter::count_allocation(bytes);
    for (;;) {
        if (void* memory = std::malloc(bytes != 0 ? bytes : 1)) {  // NOLINT: this is where memory comes from
            return memory;
        }
        const std::new_handler handler = std::get_new_handler();
        if (handler == nullptr) {
            throw std::bad_alloc();
        }
        handler();
    }
}

void operator delete(void* memory) noexcept {
    std::free(memory);  // NOLINT
}

void operator delete(void* memory, std::size_t /*bytes*/) noexcept {
    std::free(memory);  // NOLINT
}

#endif
