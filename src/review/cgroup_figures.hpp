// A control group's memory figures, of either version of the interface.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/error.hpp"

namespace confab::review {

struct CgroupFigures {
    std::uint64_t used_bytes = 0;             // with the pages of files that the kernel could give back
    std::optional<std::uint64_t> limit_bytes;  // nothing: unlimited
    std::uint64_t oom_kills = 0;
};

class CgroupFolder {
public:
    // `path` is the folder of the group, for instance /sys/fs/cgroup/system.slice/chat.service.
    explicit CgroupFolder(std::string path) : path_(std::move(path)) {}

    // The memory group that a process is in; nothing when that cannot be told. The roots are others in tests only.
    static std::optional<CgroupFolder> of_process(
        pid_t pid,
        const std::string& proc = "/proc",
        const std::string& mount = "/sys/fs/cgroup"
    );

    // `not_found` when the folder has no memory figures.
    base::Result<CgroupFigures> read() const;
    base::Result<std::vector<pid_t>> processes() const;

    const std::string& path() const { return path_; }

private:
    std::string path_;
};

}  // namespace confab::review
