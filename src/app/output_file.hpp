// OutputFile: what the command line writes, and what it tells meanwhile.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace confab::app {

class OutputFile {
public:
    // "-" is standard output. Any other file is FILE.part until keep(), and has mode 0600.
    static base::Result<OutputFile> open(const std::string& path);

    OutputFile(OutputFile&& other) noexcept;
    OutputFile& operator=(OutputFile&&) = delete;
    // What was not kept is removed.
    ~OutputFile();

    base::Status write(std::string_view bytes);
    // Syncs the file and gives it its name.
    base::Status keep();

    // On a terminal: what was done, how much that is and how fast; at most five times a second.
    void show(const std::string& what);
    void end_show() const;

private:
    OutputFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}

    bool is_standard_output() const { return path_ == "-"; }

    int descriptor_;
    std::string path_;
    std::uint64_t bytes_ = 0;
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point shown_;
};

}  // namespace confab::app
