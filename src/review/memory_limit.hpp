// MemoryLimit: what a server under review may use at most. A control group of its own where the kernel lets us make
// one, as a container would have it: too much there ends the process. Else a limit on its data (RLIMIT_DATA): too much
// there fails the allocation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "review/cgroup_figures.hpp"

namespace confab::review {

class MemoryLimit {
public:
    // Never fails: RLIMIT_DATA is always there. `bytes` > 0.
    static MemoryLimit make(std::uint64_t bytes);

    MemoryLimit(MemoryLimit&& other) noexcept;
    MemoryLimit& operator=(MemoryLimit&&) = delete;
    // Removes the group. The process must have ended.
    ~MemoryLimit();

    // In the child between fork and exec: only calls that are safe there. False when the kernel refused.
    bool enter() const;

    // For the report: "control group (version 1)", "control group (version 2)" or "RLIMIT_DATA".
    const std::string& kind() const { return kind_; }

    std::uint64_t bytes() const { return bytes_; }

    bool is_group() const { return group_.has_value(); }

    // Processes that the kernel ended for the limit. 0 without a group.
    std::uint64_t oom_kills() const;

private:
    MemoryLimit() = default;

    std::uint64_t bytes_ = 0;
    std::string kind_ = "RLIMIT_DATA";
    std::optional<CgroupFolder> group_;
    std::string procs_file_;
};

}  // namespace confab::review
