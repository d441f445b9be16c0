#include "meter/memory_bounds.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <utility>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace confab::meter {

namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kFileBytesMax = 16 * 1024;  // memory.stat of cgroup v2 has about 2 KiB

std::uint64_t number_in(std::string_view text) {
    const auto first = text.find_first_of("0123456789");
    std::uint64_t number = 0;
    if (first != std::string_view::npos) {
        std::from_chars(text.data() + first, text.data() + text.size(), number);
    }
    return number;
}

// The number behind a name at the beginning of a line ("anon 4096", "VmData:  432 kB"); 0 when there is none.
std::uint64_t number_of(std::string_view text, std::string_view name) {
    for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
        const std::string_view rest = text.substr(at + name.size());
        const bool whole = rest.starts_with(' ') || rest.starts_with(':');
        if (whole && (at == 0 || text[at - 1] == '\n')) {
            return number_in(rest.substr(0, rest.find('\n')));
        }
    }
    return 0;
}

// The kernel's own memory of a group of version 2. Slabs that it gives back when it has to (names of files, mostly) are
// as good as page cache. Kernels before 5.18 do not tell the sum.
std::uint64_t kernel_bytes(std::string_view stat) {
    if (const std::uint64_t sum = number_of(stat, "kernel"); sum != 0) {
        return sum - std::min(sum, number_of(stat, "slab_reclaimable"));
    }
    return number_of(stat, "kernel_stack") + number_of(stat, "pagetables") + number_of(stat, "percpu") +
           number_of(stat, "slab_unreclaimable");
}

std::uint64_t read_limit(const std::string& path) {
    std::ifstream file(path);
    std::uint64_t bytes = 0;
    return file >> bytes ? bytes : kNoLimit;  // "max" does not parse: no limit
}

// One bound for each group that has a limit, from this process's own up to the mount point. Inside a container the path
// may be the host's, which is not there: then only the mount point, which is the container's own group, has the file.
void walk_up(std::vector<MemoryBound>& bounds, BoundSource source, const std::string& mount, std::string group) {
    while (true) {
        const std::string folder = mount + (group == "/" ? "" : group);
        const std::uint64_t limit =
            source == BoundSource::cgroup2
                ? std::min(read_limit(folder + "/memory.max"), read_limit(folder + "/memory.high"))
                : read_limit(folder + "/memory.limit_in_bytes");
        if (limit != kNoLimit) {
            bounds.push_back({source, limit, folder});
        }
        const auto slash = group.rfind('/');
        if (slash == std::string::npos) {
            return;
        }
        group.erase(slash);
    }
}

void add_groups(std::vector<MemoryBound>& bounds, const std::string& root) {
    std::ifstream groups(root + "/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        // "0::/path" is version 2, "4:memory:/path" version 1, perhaps with further controllers beside memory.
        const auto first = line.find(':');
        const auto second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) {
            continue;
        }
        const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
        const std::string group = line.substr(second + 1);
        if (controllers == ",,") {
            walk_up(bounds, BoundSource::cgroup2, root + "/sys/fs/cgroup", group);
        } else if (controllers.find(",memory,") != std::string::npos) {
            walk_up(bounds, BoundSource::cgroup1, root + "/sys/fs/cgroup/memory", group);
        }
    }
}

std::uint64_t machine_bytes(const std::string& root) {
    std::ifstream file(root + "/proc/meminfo");
    std::string text(kFileBytesMax, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    const std::uint64_t kib = number_of(text, "MemTotal");
    return kib == 0 ? kNoLimit : kib * 1024;
}

}  // namespace

std::string_view name_of(BoundSource source) {
    switch (source) {
        case BoundSource::configured: return "configured";
        case BoundSource::cgroup2: return "cgroup2";
        case BoundSource::cgroup1: return "cgroup1";
        case BoundSource::data_limit: return "data_limit";
        case BoundSource::machine: return "machine";
    }
    return "";
}

std::vector<MemoryBound> find_memory_bounds(std::uint64_t configured_bytes, const std::string& root) {
    const std::uint64_t machine = machine_bytes(root);
    std::vector<MemoryBound> bounds{{BoundSource::machine, machine, {}}};
    if (configured_bytes != 0) {
        bounds.push_back({BoundSource::configured, configured_bytes, {}});
    }
    add_groups(bounds, root);
    rlimit data{};
    if (root.empty() && ::getrlimit(RLIMIT_DATA, &data) == 0 && data.rlim_cur != RLIM_INFINITY) {
        bounds.push_back({BoundSource::data_limit, data.rlim_cur, {}});
    }
    // A group whose limit is beyond the machine has none: version 1 writes "no limit" as a huge number.
    std::erase_if(bounds, [machine](const MemoryBound& bound) {
        return bound.source != BoundSource::machine && (bound.limit_bytes > machine || bound.limit_bytes == 0);
    });
    return bounds;
}

std::uint64_t least_limit(const std::vector<MemoryBound>& bounds) {
    std::uint64_t least = kNoLimit;
    for (const MemoryBound& bound : bounds) {
        least = std::min(least, bound.limit_bytes);
    }
    return least;
}

// ---- reading ----

MemoryMeter::KernelFile::KernelFile(const std::string& path)
    : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}

MemoryMeter::KernelFile::KernelFile(KernelFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

MemoryMeter::KernelFile::~KernelFile() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

std::string_view MemoryMeter::KernelFile::text() const {
    thread_local std::vector<char> buffer(kFileBytesMax);
    const auto got = descriptor_ < 0 ? -1 : ::pread(descriptor_, buffer.data(), buffer.size(), 0);
    return got > 0 ? std::string_view(buffer.data(), static_cast<std::size_t>(got)) : std::string_view();
}

MemoryMeter::MemoryMeter(std::vector<MemoryBound> bounds, const std::string& root)
    : bounds_(std::move(bounds)),
      statm_(root + "/proc/self/statm"),
      page_bytes_(static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))) {
    for (std::size_t i = 0; i < bounds_.size(); ++i) {
        const MemoryBound& bound = bounds_[i];
        if (bound.source == BoundSource::data_limit && !status_) {
            status_.emplace(root + "/proc/self/status");
        }
        if (bound.group.empty()) {
            continue;
        }
        Group group{i, {}};
        group.files.emplace_back(bound.group + "/memory.stat");
        if (bound.source == BoundSource::cgroup1) {
            group.files.emplace_back(bound.group + "/memory.kmem.usage_in_bytes");
            group.files.emplace_back(bound.group + "/memory.kmem.tcp.usage_in_bytes");
        }
        groups_.push_back(std::move(group));
    }
}

std::uint64_t MemoryMeter::usage_of(std::size_t bound) const {
    const auto group = std::ranges::find(groups_, bound, &Group::bound);
    if (group != groups_.end() && bounds_[bound].source == BoundSource::cgroup1) {
        std::uint64_t bytes = number_of(group->files[0].text(), "total_rss");
        bytes += number_in(group->files[1].text());
        return bytes + number_in(group->files[2].text());
    }
    if (group != groups_.end()) {
        const std::string_view stat = group->files[0].text();
        return number_of(stat, "anon") + number_of(stat, "sock") + kernel_bytes(stat);
    }
    if (bounds_[bound].source == BoundSource::data_limit) {
        return number_of(status_->text(), "VmData") * 1024;
    }
    // Pages: size, resident, and of these the ones that belong to files.
    const std::string_view pages = statm_.text();
    const auto second = pages.find(' ');
    const auto third = second == std::string_view::npos ? second : pages.find(' ', second + 1);
    if (third == std::string_view::npos) {
        return 0;
    }
    const std::uint64_t resident = number_in(pages.substr(second, third - second));
    return (resident - std::min(resident, number_in(pages.substr(third)))) * page_bytes_;
}

MemoryReading MemoryMeter::read() {
    MemoryReading nearest;
    for (std::size_t i = 0; i < bounds_.size(); ++i) {
        const MemoryReading reading{bounds_[i].source, usage_of(i), bounds_[i].limit_bytes};
        if (i == 0 || reading.fraction() > nearest.fraction()) {
            nearest = reading;
        }
    }
    return nearest;
}

}  // namespace confab::meter
