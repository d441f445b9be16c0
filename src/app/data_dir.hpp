// The data directory and the socket through which the command line speaks to a running server.
#pragma once

#include <string>

#include "base/error.hpp"

namespace confab::app {

inline std::string database_path(const std::string& data_dir) {
    return data_dir + "/confab.db";
}

// Uploads to be imported, and what waits on its way into the store.
inline std::string imports_dir(const std::string& data_dir) {
    return data_dir + "/imports";
}

inline std::string key_file_path(const std::string& data_dir) {
    return data_dir + "/secret.key";
}

// Makes the directory (mode 0700) when it is missing.
base::Status prepare_data_dir(const std::string& data_dir);

// The control socket's address, short enough for sockaddr_un wherever the data directory is: it goes through a
// descriptor of the directory, which this object keeps open.
class ControlSocketPath {
public:
    static base::Result<ControlSocketPath> open(const std::string& data_dir);

    ControlSocketPath(ControlSocketPath&& other) noexcept : directory_(other.directory_) { other.directory_ = -1; }

    ControlSocketPath& operator=(ControlSocketPath&&) = delete;
    ~ControlSocketPath();

    std::string str() const;

private:
    explicit ControlSocketPath(int directory) : directory_(directory) {}

    int directory_;
};

}  // namespace confab::app
