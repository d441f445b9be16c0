// The resource review: puts a server through a workload, measures it from outside, and reports in the structure of the
// review that started Confab.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "net/task.hpp"
#include "review/report.hpp"

namespace confab::review {

// A server that is not ours to start.
struct TargetOptions {
    Endpoint endpoint;
    std::string url;  // as it was given
    std::string key;
    std::string model;        // empty: the first that it lists
    std::vector<pid_t> pids;  // empty: only what can be seen through its API
    std::string cgroup;       // folder; empty: the one of the first process
};

struct ReviewOptions {
    std::string program;  // path of confab
    std::string version;
    std::string amount_name = "standard";
    std::vector<std::int64_t> lengths{100, 10'000, 100'000};  // ascending, at least two
    Amount amount;
    std::uint64_t memory_limit_bytes = 192ULL * 1024 * 1024;
    std::string scratch_parent;  // where the scratch directory is made
    bool as_reviewed = false;    // compare with the reviewed application's way
    std::optional<TargetOptions> target;
};

// Removes its scratch directory and ends its processes, whatever happens. Errors: what kept the review from being made;
// a server that does badly is no error.
net::Task<base::Result<Report>> review(net::Executor executor, ReviewOptions options, Progress progress);

}  // namespace confab::review
