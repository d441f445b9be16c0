// What the kernel tells about a process from outside: memory, processor time, descriptors, sockets. Nothing of the
// process itself is asked, so the same figures can be taken of any server.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/error.hpp"

namespace confab::review {

// Of one process, or of several added up.
struct ProcessFigures {
    std::uint64_t rss_bytes = 0;       // resident now
    std::uint64_t peak_rss_bytes = 0;  // the highest since the start, or since reset_peak()
    std::uint64_t minor_faults = 0;    // pages touched for the first time, or anew after they were given back
    double cpu_seconds = 0;            // of all threads, ended ones too
    std::uint64_t threads = 0;
    std::uint64_t descriptors = 0;
    std::uint64_t sockets = 0;        // among the descriptors
    std::uint64_t files = 0;          // among the descriptors: those with a path
    std::uint64_t half_closed = 0;    // sockets whose other end has closed (CLOSE_WAIT)
    bool sees_descriptors = true;     // false: of another user, so that the kernel does not show them

    ProcessFigures& operator+=(const ProcessFigures& other);
};

class ProcFolder {
public:
    // `root` is another one than /proc in tests only: the processor's clock is not asked then.
    explicit ProcFolder(std::string root = "/proc") : root_(std::move(root)) {}

    // `not_found` when there is no such process.
    base::Result<ProcessFigures> read(pid_t pid) const;

    // Of all that are left of these. `not_found` when none is.
    base::Result<ProcessFigures> read_all(const std::vector<pid_t>& pids) const;

    // By the name of the program file or of the process. `not_found`; all that match, in the order of their numbers.
    base::Result<std::vector<pid_t>> find(const std::string& name) const;

    // From now on peak_rss_bytes counts anew. False when the kernel refuses.
    bool reset_peak(pid_t pid) const;

private:
    std::string path(pid_t pid, const char* file) const;
    void read_status(pid_t pid, ProcessFigures& figures) const;
    base::Status read_stat(pid_t pid, ProcessFigures& figures) const;
    void read_descriptors(pid_t pid, ProcessFigures& figures) const;

    std::string root_;
};

}  // namespace confab::review
