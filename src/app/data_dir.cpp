#include "app/data_dir.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace confab::app {

base::Status prepare_data_dir(const std::string& data_dir) {
    std::error_code ec;
    const bool existed = std::filesystem::exists(data_dir, ec);
    std::filesystem::create_directories(data_dir, ec);
    if (ec) {
        return base::invalid("data_dir", "Cannot make the data directory " + data_dir + ": " + ec.message() + ".");
    }
    if (!existed) {
        ::chmod(data_dir.c_str(), 0700);  // conversations are private
    }
    if (::access(data_dir.c_str(), R_OK | W_OK | X_OK) != 0) {
        return base::invalid(
            "data_dir", "Cannot write to the data directory " + data_dir + ": " + std::strerror(errno) + "."
        );
    }
    return {};
}

base::Result<ControlSocketPath> ControlSocketPath::open(const std::string& data_dir) {
    const int directory = ::open(data_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return base::invalid(
            "data_dir", "Cannot open the data directory " + data_dir + ": " + std::strerror(errno) + "."
        );
    }
    return ControlSocketPath(directory);
}

ControlSocketPath::~ControlSocketPath() {
    if (directory_ >= 0) {
        ::close(directory_);
    }
}

std::string ControlSocketPath::str() const {
    return "/proc/self/fd/" + std::to_string(directory_) + "/control.sock";
}

}  // namespace confab::app
