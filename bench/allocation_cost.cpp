// What it costs to count allocations (src/meter/allocations.cpp): `allocation_cost` links the counting operator new,
// `allocation_cost_plain` does not. Prints the least of 30 rounds, so that other work on the machine matters little.
#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <memory>

#ifdef CONFAB_COUNTS_ALLOCATIONS
#include "meter/allocations.hpp"
#endif

namespace {

constexpr int kRounds = 30;
constexpr int kPairs = 1'000'000;  // of new and delete in a round

void* volatile sink;  // so that nothing is optimised away

double thread_nanoseconds() {
    timespec spent{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return static_cast<double>(spent.tv_sec) * 1e9 + static_cast<double>(spent.tv_nsec);
}

}  // namespace

int main() {
    double least = 1e18;
    for (int round = 0; round < kRounds; ++round) {
        const double begin = thread_nanoseconds();
        for (int i = 0; i < kPairs; ++i) {
            const auto memory = std::make_unique<std::array<char, 64>>();
            sink = memory.get();
        }
        least = std::min(least, (thread_nanoseconds() - begin) / kPairs);
    }
    std::printf("%.2f ns for new and delete of 64 bytes\n", least);
#ifdef CONFAB_COUNTS_ALLOCATIONS
    std::printf("%llu counted\n", static_cast<unsigned long long>(confab::meter::allocations().count));
#endif
}
