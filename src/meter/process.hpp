// What the operating system knows of this process.
#pragma once

#include <cstdint>

namespace confab::meter {

struct ProcessFigures {
    std::uint64_t resident_bytes = 0;
    std::uint64_t resident_peak_bytes = 0;
    double cpu_seconds = 0;  // of all threads, since the start
    std::uint64_t open_files = 0;  // descriptors: files, sockets, and what the event loops need
    std::uint64_t open_files_max = 0;  // how many the system grants
    std::uint64_t threads = 0;
};

// Reads /proc/self; some 50 us. What cannot be read is 0.
ProcessFigures read_process();

// The most descriptors that read_process() has seen open.
std::uint64_t open_files_peak();

}  // namespace confab::meter
