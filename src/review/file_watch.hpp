// FileWatch: counts how often files in a folder are opened, by whomever, by inotify. This is how connections to an
// embedded database are counted from outside: each opens the database's file.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/error.hpp"

namespace confab::review {

class FileWatch {
public:
    // The folder itself, not those in it. `internal` when the kernel has no watch left.
    static base::Result<FileWatch> open(const std::string& folder);

    FileWatch(FileWatch&& other) noexcept;
    FileWatch& operator=(FileWatch&&) = delete;
    ~FileWatch();

    // Takes what has happened into the counts. To be called often: the kernel keeps some 16,000 events.
    void poll();

    // Openings of the file with this name, as of the last poll(): at least, for two without anything between them may be
    // one event.
    std::uint64_t opened(const std::string& name) const;
    // Of all files.
    std::uint64_t opened_all() const { return all_; }

    // Events were lost: the counts are too low.
    bool overflowed() const { return overflowed_; }

private:
    explicit FileWatch(int descriptor) : descriptor_(descriptor) {}

    int descriptor_;
    std::map<std::string, std::uint64_t> opened_;
    std::uint64_t all_ = 0;
    bool overflowed_ = false;
};

}  // namespace confab::review
