// ChildProcess: a server under review, started as a process of its own, so that the kernel's figures are its own.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/error.hpp"
#include "net/task.hpp"
#include "review/memory_limit.hpp"

namespace confab::review {

struct Launch {
    std::string program;             // path
    std::vector<std::string> args;   // without the program's name
    std::vector<std::string> env;    // "NAME=value"; the whole environment
    std::string log_path;            // where both outputs go
    const MemoryLimit* limit = nullptr;
};

class ChildProcess {
public:
    // `internal` when it cannot be started.
    static base::Result<std::unique_ptr<ChildProcess>> start(Launch launch);

    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;
    // Kills it if it runs.
    ~ChildProcess();

    pid_t pid() const { return pid_; }

    // Looks, without waiting. False from the moment on at which it has ended.
    bool running();

    // How it ended, in words: "was killed by signal 9". Empty while it runs.
    const std::string& ending() const { return ending_; }

    // Waits until the log has a line that begins like this and returns the rest of it. `unavailable` when the process
    // ends first or `patience` is over; the message holds the end of the log.
    net::Task<base::Result<std::string>> wait_for_line(std::string beginning, std::chrono::seconds patience);

    // Asks it to end, and kills it when it does not within `patience`.
    net::Task<void> stop(std::chrono::seconds patience);

    // The last lines that it printed.
    std::string log_end() const;

private:
    ChildProcess(pid_t pid, std::string log_path) : pid_(pid), log_path_(std::move(log_path)) {}

    pid_t pid_;
    std::string log_path_;
    std::string ending_;
};

}  // namespace confab::review
