#include "meter/byte_budget.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include <unistd.h>

namespace confab::meter {

namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

std::uint64_t read_limit(const std::string& path) {
    std::ifstream file(path);
    std::uint64_t bytes = 0;
    return file >> bytes ? bytes : kNoLimit;  // "max" does not parse: no limit
}

// The smallest limit on the way from this process's group up to the mount point.
std::uint64_t walk_up(const std::string& mount, std::string group, const char* file) {
    std::uint64_t least = kNoLimit;
    while (true) {
        least = std::min(least, read_limit(mount + group + "/" + file));
        const auto slash = group.rfind('/');
        if (slash == std::string::npos) {
            return least;
        }
        group.erase(slash);
    }
}

}  // namespace

std::uint64_t memory_limit_bytes() {
    const auto pages = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
    std::uint64_t least = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        const auto group_at = line.rfind(':');
        if (line.starts_with("0::")) {
            const std::string group = line.substr(group_at + 1);
            least = std::min(least, walk_up("/sys/fs/cgroup", group, "memory.max"));
            least = std::min(least, walk_up("/sys/fs/cgroup", group, "memory.high"));
        } else if (line.find(":memory:") != std::string::npos) {
            least =
                std::min(least, walk_up("/sys/fs/cgroup/memory", line.substr(group_at + 1), "memory.limit_in_bytes"));
        }
    }
    return least;
}

}  // namespace confab::meter
