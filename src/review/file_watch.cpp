#include "review/file_watch.hpp"

#include <cstring>
#include <utility>

#include <sys/inotify.h>
#include <unistd.h>

namespace confab::review {

base::Result<FileWatch> FileWatch::open(const std::string& folder) {
    const int descriptor = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (descriptor < 0) {
        return base::fail(base::Errc::internal, "The kernel has no inotify instance left.");
    }
    FileWatch watch(descriptor);
    // The kernel joins an event with an equal one right before it. With the closings between, most openings stay apart.
    if (::inotify_add_watch(descriptor, folder.c_str(), IN_OPEN | IN_CLOSE) < 0) {
        return base::fail(base::Errc::internal, "Cannot watch the folder " + folder + ".");
    }
    return watch;
}

FileWatch::FileWatch(FileWatch&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      opened_(std::move(other.opened_)),
      all_(other.all_),
      overflowed_(other.overflowed_) {}

FileWatch::~FileWatch() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

void FileWatch::poll() {
    alignas(inotify_event) char buffer[16 * 1024];
    for (ssize_t got = ::read(descriptor_, buffer, sizeof buffer); got > 0;
         got = ::read(descriptor_, buffer, sizeof buffer)) {
        for (ssize_t at = 0; at < got;) {
            inotify_event event{};
            std::memcpy(&event, buffer + at, sizeof event);
            overflowed_ = overflowed_ || (event.mask & IN_Q_OVERFLOW) != 0;
            if (event.len > 0 && (event.mask & IN_OPEN) != 0 && (event.mask & IN_ISDIR) == 0) {
                ++opened_[std::string(buffer + at + sizeof event)];  // ends with a zero
                ++all_;
            }
            at += static_cast<ssize_t>(sizeof event + event.len);
        }
    }
}

std::uint64_t FileWatch::opened(const std::string& name) const {
    const auto entry = opened_.find(name);
    return entry == opened_.end() ? 0 : entry->second;
}

}  // namespace confab::review
