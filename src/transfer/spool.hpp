// Spool: the messages of the conversation being read, in the order in which they come, until its tree is known. Some
// are in memory, the rest is in a file without a name. Blocking; for the thread of an import.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace confab::transfer {

inline constexpr std::size_t kSpoolMemoryBytes = 4ULL * 1024 * 1024;

class Spool {
public:
    // The file is made in `dir` when it is needed.
    explicit Spool(std::string dir) : dir_(std::move(dir)) {}

    Spool(const Spool&) = delete;
    Spool& operator=(const Spool&) = delete;
    ~Spool();

    // Where it stands, for read(). Errors: storage_full, internal.
    base::Result<std::uint64_t> append(std::string_view record);
    base::Result<std::string> read(std::uint64_t place);
    base::Status clear();

private:
    base::Status spill();
    base::Status read_at(std::uint64_t offset, char* to, std::size_t bytes);

    const std::string dir_;
    int descriptor_ = -1;
    std::uint64_t in_file_ = 0;  // bytes; what follows them is in tail_
    std::string tail_;
};

}  // namespace confab::transfer
