#include "meter/process.hpp"

#include <charconv>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <sys/resource.h>
#include <sys/stat.h>

#include "meter/counters.hpp"

namespace confab::meter {

namespace {

Gauge& open_files() {
    static Gauge gauge;
    return gauge;
}

// "VmRSS:     1234 kB" -> 1234, "Threads: 7" -> 7.
std::uint64_t first_number_in(std::string_view line) {
    const auto digits = line.find_first_of("0123456789");
    std::uint64_t number = 0;
    if (digits != std::string_view::npos) {
        std::from_chars(line.data() + digits, line.data() + line.size(), number);
    }
    return number;
}

// Newer kernels tell the number as the size of the folder; otherwise it is counted.
std::uint64_t count_open_files() {
    struct stat folder{};
    if (::stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0) {
        return static_cast<std::uint64_t>(folder.st_size);
    }
    std::error_code ec;
    std::uint64_t count = 0;
    for (std::filesystem::directory_iterator entry("/proc/self/fd", ec), end; !ec && entry != end; entry.increment(ec)) {
        ++count;
    }
    return count > 0 ? count - 1 : 0;  // one is the look itself
}

}  // namespace

ProcessFigures read_process() {
    ProcessFigures figures;
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) {
            figures.resident_bytes = first_number_in(line) * 1024;
        } else if (line.starts_with("VmHWM:")) {
            figures.resident_peak_bytes = first_number_in(line) * 1024;
        } else if (line.starts_with("Threads:")) {
            figures.threads = first_number_in(line);
        }
    }
    status.close();  // is not to be counted below
    timespec spent{};
    if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) == 0) {
        figures.cpu_seconds = static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
    }
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        figures.open_files_max = limit.rlim_cur;
    }
    figures.open_files = count_open_files();
    open_files().set(static_cast<std::int64_t>(figures.open_files));
    return figures;
}

std::uint64_t open_files_peak() {
    return static_cast<std::uint64_t>(open_files().peak());
}

}  // namespace confab::meter
