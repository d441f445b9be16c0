#include "review/cgroup_figures.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace confab::review {

namespace {

constexpr std::uint64_t kUnlimited = std::uint64_t{1} << 62;  // version 1 writes a number near 2^63 for no limit

std::optional<std::uint64_t> read_number(const std::string& path) {
    std::ifstream file(path);
    std::uint64_t number = 0;
    return file >> number ? std::optional(number) : std::nullopt;  // "max" is no number
}

// The value behind a word in a file of lines "word value".
std::uint64_t read_entry(const std::string& path, const std::string& wanted) {
    std::ifstream file(path);
    std::string word;
    for (std::uint64_t value = 0; file >> word >> value;) {
        if (word == wanted) {
            return value;
        }
    }
    return 0;
}

}  // namespace

std::optional<CgroupFolder> CgroupFolder::of_process(pid_t pid, const std::string& proc, const std::string& mount) {
    std::ifstream groups(proc + "/" + std::to_string(pid) + "/cgroup");
    std::optional<CgroupFolder> found;
    for (std::string line; std::getline(groups, line);) {
        const std::string group = line.substr(line.rfind(':') + 1);
        if (line.find(":memory:") != std::string::npos) {
            return CgroupFolder(mount + "/memory" + group);
        }
        if (line.starts_with("0::") && std::filesystem::exists(mount + group + "/memory.current")) {
            found = CgroupFolder(mount + group);
        }
    }
    return found;
}

base::Result<CgroupFigures> CgroupFolder::read() const {
    CgroupFigures figures;
    if (const auto used = read_number(path_ + "/memory.current")) {
        figures.used_bytes = *used;
        figures.limit_bytes = read_number(path_ + "/memory.max");
        figures.oom_kills = read_entry(path_ + "/memory.events", "oom_kill");
        return figures;
    }
    if (const auto used = read_number(path_ + "/memory.usage_in_bytes")) {
        figures.used_bytes = *used;
        const auto limit = read_number(path_ + "/memory.limit_in_bytes");
        figures.limit_bytes = limit && *limit < kUnlimited ? limit : std::nullopt;
        figures.oom_kills = read_entry(path_ + "/memory.oom_control", "oom_kill");
        return figures;
    }
    return base::not_found("There are no memory figures of a control group in " + path_ + ".", "cgroup_not_found");
}

base::Result<std::vector<pid_t>> CgroupFolder::processes() const {
    std::ifstream file(path_ + "/cgroup.procs");
    std::vector<pid_t> pids;
    for (pid_t pid = 0; file >> pid;) {
        pids.push_back(pid);
    }
    if (pids.empty()) {
        return base::not_found("There is no process in the control group " + path_ + ".", "cgroup_not_found");
    }
    return pids;
}

}  // namespace confab::review
