#include "review/child_process.hpp"

#include <csignal>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace confab::review {

namespace {

constexpr std::chrono::milliseconds kLookEvery{20};
constexpr std::size_t kLogCharsShown = 1'500;
constexpr int kNotStarted = 127;

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (std::string& text : texts) {
        list.push_back(text.data());
    }
    list.push_back(nullptr);
    return list;
}

std::string read_log(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string describe_ending(int status) {
    if (WIFSIGNALED(status)) {
        return "was killed by signal " + std::to_string(WTERMSIG(status));
    }
    return "ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

base::Result<std::unique_ptr<ChildProcess>> ChildProcess::start(Launch launch) {
    launch.args.insert(launch.args.begin(), launch.program);
    std::vector<char*> args = pointers(launch.args);
    std::vector<char*> env = pointers(launch.env);
    const int log = ::open(launch.log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (log < 0) {
        return base::fail(base::Errc::internal, "Cannot write " + launch.log_path + ".");
    }
    const pid_t pid = ::fork();
    if (pid == 0) {  // only calls that are safe in a copy of a process with threads
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(log, STDOUT_FILENO);
        ::dup2(log, STDERR_FILENO);
        const bool limited = launch.limit == nullptr || launch.limit->enter();
        if (limited) {
            ::execve(args[0], args.data(), env.data());
        }
        ::_exit(kNotStarted);
    }
    ::close(log);
    if (pid < 0) {
        return base::fail(base::Errc::internal, "Cannot start a process.");
    }
    return std::unique_ptr<ChildProcess>(new ChildProcess(pid, launch.log_path));
}

ChildProcess::~ChildProcess() {
    if (running()) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
}

bool ChildProcess::running() {
    if (!ending_.empty()) {
        return false;
    }
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        ending_ = describe_ending(status);
        return false;
    }
    return true;
}

net::Task<base::Result<std::string>> ChildProcess::wait_for_line(std::string beginning, std::chrono::seconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < until) {
        const bool runs = running();
        std::istringstream lines(read_log(log_path_));
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with(beginning)) {
                co_return line.substr(beginning.size());
            }
        }
        if (!runs) {
            break;
        }
        co_await net::sleep_for(kLookEvery);
    }
    const std::string how = ending_.empty() ? "did not become ready" : ending_;
    co_return base::fail(base::Errc::unavailable, "The server " + how + ". It printed:\n" + log_end());
}

net::Task<void> ChildProcess::stop(std::chrono::seconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    if (running()) {
        ::kill(pid_, SIGTERM);
    }
    while (running() && std::chrono::steady_clock::now() < until) {
        co_await net::sleep_for(kLookEvery);
    }
    if (running()) {
        ::kill(pid_, SIGKILL);
        int status = 0;
        ::waitpid(pid_, &status, 0);
        ending_ = describe_ending(status);
    }
}

std::string ChildProcess::log_end() const {
    const std::string log = read_log(log_path_);
    return log.substr(log.size() - std::min(log.size(), kLogCharsShown));
}

}  // namespace confab::review
