#include "transfer/spool.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "store/blobs.hpp"

namespace confab::transfer {

using base::Result;
using base::Status;

Spool::~Spool() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

Result<std::uint64_t> Spool::append(std::string_view record) {
    const std::uint64_t place = in_file_ + tail_.size();
    const std::uint64_t size = record.size();
    tail_.append(reinterpret_cast<const char*>(&size), sizeof size);
    tail_.append(record);
    if (tail_.size() > kSpoolMemoryBytes) {
        TRY_VOID(spill());
    }
    return place;
}

Status Spool::spill() {
    if (descriptor_ < 0) {
        descriptor_ = ::open(dir_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (descriptor_ < 0) {
            return std::unexpected(store::disk_error("open"));
        }
    }
    std::string_view rest = tail_;
    while (!rest.empty()) {
        const ssize_t written = ::pwrite(descriptor_, rest.data(), rest.size(), static_cast<off_t>(in_file_));
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return std::unexpected(store::disk_error("pwrite"));
        }
        in_file_ += static_cast<std::uint64_t>(written);
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    tail_.clear();
    tail_.shrink_to_fit();
    return {};
}

Status Spool::read_at(std::uint64_t offset, char* to, std::size_t bytes) {
    if (offset >= in_file_) {
        CONFAB_ASSERT(offset - in_file_ + bytes <= tail_.size());
        std::memcpy(to, tail_.data() + (offset - in_file_), bytes);
        return {};
    }
    while (bytes > 0) {
        const ssize_t got = ::pread(descriptor_, to, bytes, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return std::unexpected(store::disk_error("pread"));
        }
        to += got;
        bytes -= static_cast<std::size_t>(got);
        offset += static_cast<std::uint64_t>(got);
    }
    return {};
}

// A record is never cut: the whole tail is spilled at once.
Result<std::string> Spool::read(std::uint64_t place) {
    std::uint64_t size = 0;
    char head[sizeof size];
    TRY_VOID(read_at(place, head, sizeof head));
    std::memcpy(&size, head, sizeof size);
    std::string record(size, '\0');
    TRY_VOID(read_at(place + sizeof size, record.data(), record.size()));
    return record;
}

Status Spool::clear() {
    tail_.clear();
    if (in_file_ > 0 && ::ftruncate(descriptor_, 0) != 0) {
        return std::unexpected(store::disk_error("ftruncate"));
    }
    in_file_ = 0;
    return {};
}

}  // namespace confab::transfer
