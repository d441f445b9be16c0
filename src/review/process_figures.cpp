#include "review/process_figures.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <unistd.h>

namespace confab::review {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kCloseWait = "08";  // in /proc/net/tcp, see include/net/tcp_states.h of the kernel

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// The inode in "socket:[12345]"; empty: no socket.
std::string socket_inode(const std::string& link) {
    constexpr std::string_view kPrefix = "socket:[";
    return link.starts_with(kPrefix) ? link.substr(kPrefix.size(), link.size() - kPrefix.size() - 1) : std::string();
}

// The rows of /proc/PID/net/tcp with one of these inodes whose other end has closed. The table is the one of the whole
// network namespace.
std::uint64_t count_half_closed(const std::string& table, const std::set<std::string>& inodes) {
    std::istringstream lines(table);
    std::uint64_t count = 0;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::vector<std::string> columns;
        for (std::string word; words >> word;) {
            columns.push_back(std::move(word));
        }
        count += columns.size() > 9 && columns[3] == kCloseWait && inodes.contains(columns[9]) ? 1 : 0;
    }
    return count;
}

double clock_seconds(pid_t pid, double otherwise) {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
        return otherwise;
    }
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

bool is_pid(const std::string& name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

ProcessFigures& ProcessFigures::operator+=(const ProcessFigures& other) {
    rss_bytes += other.rss_bytes;
    peak_rss_bytes += other.peak_rss_bytes;
    minor_faults += other.minor_faults;
    cpu_seconds += other.cpu_seconds;
    threads += other.threads;
    descriptors += other.descriptors;
    sockets += other.sockets;
    files += other.files;
    half_closed += other.half_closed;
    sees_descriptors = sees_descriptors && other.sees_descriptors;
    return *this;
}

std::string ProcFolder::path(pid_t pid, const char* file) const {
    return root_ + "/" + std::to_string(pid) + "/" + file;
}

void ProcFolder::read_status(pid_t pid, ProcessFigures& figures) const {
    std::ifstream file(path(pid, "status"));
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string name;
        std::uint64_t value = 0;
        words >> name >> value;
        if (name == "VmRSS:") {
            figures.rss_bytes = value * 1024;
        } else if (name == "VmHWM:") {
            figures.peak_rss_bytes = value * 1024;
        } else if (name == "Threads:") {
            figures.threads = value;
        }
    }
}

// The second field is the name in parentheses and may hold anything, so counting begins after the last parenthesis.
base::Status ProcFolder::read_stat(pid_t pid, ProcessFigures& figures) const {
    const std::string text = read_file(path(pid, "stat"));
    const auto name_end = text.rfind(')');
    if (name_end == std::string::npos) {
        return base::not_found("There is no process " + std::to_string(pid) + ".", "process_not_found");
    }
    std::istringstream words(text.substr(name_end + 1));
    std::string state;
    std::vector<std::uint64_t> numbers;
    words >> state;
    for (std::string word; words >> word;) {
        std::uint64_t number = 0;
        std::from_chars(word.data(), word.data() + word.size(), number);  // negative ones are not among those we need
        numbers.push_back(number);
    }
    constexpr std::size_t kMinorFaults = 6;  // field 10 of proc(5), the numbers begin with field 4
    constexpr std::size_t kUserTime = 10;
    if (state == "Z" || numbers.size() <= kUserTime + 1) {
        return base::not_found("The process " + std::to_string(pid) + " has ended.", "process_not_found");
    }
    figures.minor_faults = numbers[kMinorFaults];
    const auto ticks = static_cast<double>(numbers[kUserTime] + numbers[kUserTime + 1]);
    figures.cpu_seconds = ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
    if (root_ == "/proc") {
        figures.cpu_seconds = clock_seconds(pid, figures.cpu_seconds);  // in nanoseconds rather than in ticks of 10 ms
    }
    return {};
}

void ProcFolder::read_descriptors(pid_t pid, ProcessFigures& figures) const {
    std::error_code ec;
    std::set<std::string> inodes;
    auto entry = fs::directory_iterator(path(pid, "fd"), ec);
    figures.sees_descriptors = !ec;
    for (; !ec && entry != fs::directory_iterator(); entry.increment(ec)) {
        std::error_code gone;
        const std::string link = fs::read_symlink(entry->path(), gone).string();
        if (gone) {
            continue;
        }
        ++figures.descriptors;
        if (std::string inode = socket_inode(link); !inode.empty()) {
            ++figures.sockets;
            inodes.insert(std::move(inode));
        } else if (link.starts_with('/')) {
            ++figures.files;
        }
    }
    if (!inodes.empty()) {
        figures.half_closed = count_half_closed(read_file(path(pid, "net/tcp")), inodes) +
                              count_half_closed(read_file(path(pid, "net/tcp6")), inodes);
    }
}

base::Result<ProcessFigures> ProcFolder::read(pid_t pid) const {
    ProcessFigures figures;
    TRY_VOID(read_stat(pid, figures));
    read_status(pid, figures);
    read_descriptors(pid, figures);
    return figures;
}

base::Result<ProcessFigures> ProcFolder::read_all(const std::vector<pid_t>& pids) const {
    ProcessFigures sum;
    bool any = false;
    for (const pid_t pid : pids) {
        if (const auto figures = read(pid)) {
            sum += *figures;
            any = true;
        }
    }
    if (!any) {
        return base::not_found("The process has ended.", "process_not_found");
    }
    return sum;
}

base::Result<std::vector<pid_t>> ProcFolder::find(const std::string& name) const {
    std::vector<pid_t> found;
    std::error_code ec;
    for (auto entry = fs::directory_iterator(root_, ec); !ec && entry != fs::directory_iterator(); entry.increment(ec)) {
        const std::string number = entry->path().filename().string();
        if (!is_pid(number)) {
            continue;
        }
        std::error_code hidden;
        const std::string program = fs::read_symlink(entry->path() / "exe", hidden).filename().string();
        std::string called = read_file((entry->path() / "comm").string());
        if (called.ends_with('\n')) {
            called.pop_back();
        }
        if (program == name || called == name) {
            found.push_back(static_cast<pid_t>(std::stol(number)));
        }
    }
    if (found.empty()) {
        return base::not_found("There is no process with the name '" + name + "'.", "process_not_found");
    }
    std::ranges::sort(found);
    return found;
}

bool ProcFolder::reset_peak(pid_t pid) const {
    std::ofstream file(path(pid, "clear_refs"));
    return static_cast<bool>(file << "5" << std::flush);  // proc(5): resets VmHWM to the resident memory of now
}

}  // namespace confab::review
