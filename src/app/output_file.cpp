#include "app/output_file.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace confab::app {

namespace {

constexpr std::chrono::milliseconds kShowEvery{200};

std::unexpected<base::Error> cannot_write(const std::string& path) {
    const int code = errno;
    return base::fail(
        code == ENOSPC ? base::Errc::storage_full : base::Errc::internal,
        "Cannot write " + path + ": " + std::strerror(code) + "."
    );
}

std::string part_of(const std::string& path) {
    return path + ".part";
}

bool on_terminal() {
    return ::isatty(STDERR_FILENO) != 0;
}

}  // namespace

base::Result<OutputFile> OutputFile::open(const std::string& path) {
    if (path == "-") {
        return OutputFile(STDOUT_FILENO, path);
    }
    const int descriptor = ::open(part_of(path).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) {
        return cannot_write(part_of(path));
    }
    return OutputFile(descriptor, path);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      path_(other.path_),
      bytes_(other.bytes_),
      begun_(other.begun_) {}

OutputFile::~OutputFile() {
    if (descriptor_ >= 0 && !is_standard_output()) {
        ::close(descriptor_);
        ::unlink(part_of(path_).c_str());
    }
}

base::Status OutputFile::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return cannot_write(is_standard_output() ? "to standard output" : part_of(path_));
        }
        bytes_ += static_cast<std::uint64_t>(written);
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

base::Status OutputFile::keep() {
    if (is_standard_output()) {
        return {};
    }
    if (::fsync(descriptor_) != 0 || ::rename(part_of(path_).c_str(), path_.c_str()) != 0) {
        return cannot_write(path_);
    }
    ::close(std::exchange(descriptor_, -1));
    const auto folder = std::filesystem::absolute(path_).parent_path();
    const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        ::fsync(directory);
        ::close(directory);
    }
    return {};
}

void OutputFile::show(const std::string& what) {
    const auto now = std::chrono::steady_clock::now();
    if (!on_terminal() || now < shown_ + kShowEvery) {
        return;
    }
    shown_ = now;
    const double mb = static_cast<double>(bytes_) / 1e6;
    const double seconds = std::chrono::duration<double>(now - begun_).count();
    fmt::print(stderr, "\r\x1b[K{}, {:.1f} MB, {:.1f} MB/s", what, mb, seconds > 0 ? mb / seconds : 0.0);
}

void OutputFile::end_show() const {
    if (on_terminal()) {
        fmt::print(stderr, "\n");
    }
}

}  // namespace confab::app
