// confab: parses the command line, does what it says.
#include <cstdio>
#include <exception>

#include <malloc.h>

#include "app/command_line.hpp"

namespace {

// bytes. Buffers of this size and more come and go with requests: outside of the heap they leave no holes in it (ADR 0026).
constexpr int kOutsideOfHeap = 32 * 1024;

}  // namespace

int main(int argc, char** argv) {
    ::mallopt(M_MMAP_THRESHOLD, kOutsideOfHeap);
    try {
        return confab::app::run_command_line(argc, argv);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "confab: %s\n", e.what());
        return 1;
    }
}
