// Memory bounds: what this process may use before somebody kills it, and how much of that is used.
//
// A process may stand under several bounds at once: what the administrator configured, the limits of its control group
// and of every group above it, a limit on its data segment, the machine. All of them are looked at; the one that is
// nearest to being reached is what matters. What counts is memory that the kernel cannot take back: anonymous pages,
// socket buffers and the kernel's own memory, not the page cache, which would make a server with a large database look
// full.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace confab::meter {

enum class BoundSource : std::uint8_t {
    configured,  // by the administrator; what this process holds counts
    cgroup2,     // memory.max or memory.high; what the group holds counts
    cgroup1,     // memory.limit_in_bytes; what the group holds counts
    data_limit,  // RLIMIT_DATA; the size of the data segment counts
    machine,     // what this process holds counts
};

// "configured", "cgroup2", "cgroup1", "data_limit", "machine".
std::string_view name_of(BoundSource source);

struct MemoryBound {
    BoundSource source = BoundSource::machine;
    std::uint64_t limit_bytes = 0;
    std::string group;  // the folder of the control group; empty without one
};

// How much of one bound is used.
struct MemoryReading {
    BoundSource source = BoundSource::machine;
    std::uint64_t usage_bytes = 0;
    std::uint64_t limit_bytes = 1;

    double fraction() const { return static_cast<double>(usage_bytes) / static_cast<double>(limit_bytes); }
};

// Every bound of this process, the machine's always among them. `configured_bytes` 0: nothing is configured. `root`
// stands before /proc and /sys, for tests.
std::vector<MemoryBound> find_memory_bounds(std::uint64_t configured_bytes, const std::string& root = {});

// The least of them, bytes.
std::uint64_t least_limit(const std::vector<MemoryBound>& bounds);

// Reads how much is used, from files that it keeps open. One thread.
class MemoryMeter {
public:
    explicit MemoryMeter(std::vector<MemoryBound> bounds, const std::string& root = {});

    // The bound that is nearest to being reached. A file that cannot be read counts as nothing used.
    MemoryReading read();

    std::uint64_t limit_bytes() const { return least_limit(bounds_); }

private:
    // A file of /proc or /sys, which is made anew whenever it is read from its beginning.
    class KernelFile {
    public:
        explicit KernelFile(const std::string& path);
        KernelFile(KernelFile&& other) noexcept;
        KernelFile& operator=(KernelFile&&) = delete;
        ~KernelFile();
        // Valid until the next read of any file by this thread; empty when it cannot be read.
        std::string_view text() const;

    private:
        int descriptor_;
    };

    struct Group {
        std::size_t bound;
        std::vector<KernelFile> files;
    };

    std::uint64_t usage_of(std::size_t bound) const;

    std::vector<MemoryBound> bounds_;
    std::vector<Group> groups_;
    KernelFile statm_;
    std::optional<KernelFile> status_;  // with a data limit only
    std::uint64_t page_bytes_;
};

}  // namespace confab::meter
