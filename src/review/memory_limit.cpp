#include "review/memory_limit.hpp"

#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace confab::review {

namespace {

namespace fs = std::filesystem;

bool write_number(const std::string& path, std::uint64_t number) {
    std::ofstream file(path);
    return static_cast<bool>(file << number << std::flush);
}

// Version 1 has the limit in one file and, where swap is accounted for, a second one for memory and swap together.
bool set_limit(const std::string& group, std::uint64_t bytes) {
    if (write_number(group + "/memory.limit_in_bytes", bytes)) {
        write_number(group + "/memory.memsw.limit_in_bytes", bytes);
        return true;
    }
    if (write_number(group + "/memory.max", bytes)) {
        write_number(group + "/memory.swap.max", 0);
        return true;
    }
    return false;
}

}  // namespace

MemoryLimit MemoryLimit::make(std::uint64_t bytes) {
    MemoryLimit limit;
    limit.bytes_ = bytes;
    const auto own = CgroupFolder::of_process(::getpid());
    if (!own) {
        return limit;
    }
    static int made = 0;
    const std::string name = "confab-review-" + std::to_string(::getpid()) + "-" + std::to_string(++made);
    const std::string group = own->path() + "/" + name;
    std::error_code ec;
    if (!fs::create_directory(group, ec) || ec) {
        return limit;
    }
    if (!set_limit(group, bytes)) {
        fs::remove(group, ec);
        return limit;
    }
    limit.group_ = CgroupFolder(group);
    limit.kind_ = fs::exists(group + "/memory.max") ? "control group (version 2)" : "control group (version 1)";
    limit.procs_file_ = group + "/cgroup.procs";
    return limit;
}

MemoryLimit::MemoryLimit(MemoryLimit&& other) noexcept
    : bytes_(other.bytes_),
      kind_(std::move(other.kind_)),
      group_(std::exchange(other.group_, std::nullopt)),
      procs_file_(std::move(other.procs_file_)) {}

MemoryLimit::~MemoryLimit() {
    if (group_) {
        std::error_code ec;
        for (int tries = 0; tries < 50 && !fs::remove(group_->path(), ec); ++tries) {
            ::sched_yield();  // the kernel lets go of an ended process a moment later
        }
    }
}

bool MemoryLimit::enter() const {
    if (!group_) {
        const rlimit most{bytes_, bytes_};
        return ::setrlimit(RLIMIT_DATA, &most) == 0;
    }
    const int file = ::open(procs_file_.c_str(), O_WRONLY | O_CLOEXEC);
    return file >= 0 && ::write(file, "0", 1) == 1;
}

std::uint64_t MemoryLimit::oom_kills() const {
    const auto figures = group_ ? group_->read() : base::not_found("");
    return figures ? figures->oom_kills : 0;
}

}  // namespace confab::review
