// ShowLimit: how far a run's log may be shown ahead of what is durable.
//
// Text is made durable a few times a second, and viewers need not wait for that. But a crash takes back what was shown
// and not durable yet, so that stretch is bounded twice: by its age, which is what a crash may cost, and by its number
// of events, which is how recovery knows a sequence number that nobody can have seen (chat/recovery.hpp). Beyond either
// bound viewers wait until the store has caught up.
//
// Without a clock of its own: the caller says what time it is.
#pragma once

#include <algorithm>
#include <chrono>

#include "chat/event_log.hpp"

namespace confab::chat {

inline constexpr Sequence kShownAheadMax = 4'096;  // events shown beyond the durable ones; part of what is stored: a
                                                   // smaller number would let recovery repeat one that was seen
inline constexpr std::chrono::milliseconds kShownUnsavedMax{400};  // when an event has waited for so long to become
                                                                   // durable, nothing newer is shown

class ShowLimit {
public:
    using Time = std::chrono::steady_clock::time_point;

    // The log has grown to `size` events, not counting those that close it.
    void appended(Sequence size, Time now) {
        if (taken_ >= size_) {
            oldest_pending_ = now;
        }
        size_ = size;
    }

    // The first event that nobody has taken to the store yet.
    Sequence first_unsaved() const { return taken_; }

    Sequence size() const { return size_; }

    // Everything before `to` is on its way to the store, perhaps with the events that close the log; saved() tells how
    // that ended, and comes before the next take.
    void taken(Sequence to) {
        oldest_taken_ = oldest_pending_;
        taken_ = to;
    }

    void saved(bool success) {
        if (success) {
            durable_ = taken_;
        } else {
            oldest_pending_ = durable_ < taken_ ? oldest_taken_ : oldest_pending_;
            taken_ = durable_;
        }
    }

    // Events before the result may be seen; those before `visible` have been.
    Sequence visible(Sequence visible, Time now) const {
        const bool waits = durable_ < size_;
        const Time oldest = durable_ < taken_ ? oldest_taken_ : oldest_pending_;
        if (waits && now - oldest >= kShownUnsavedMax) {
            return visible;
        }
        return std::max(visible, std::min(size_, durable_ + kShownAheadMax));
    }

private:
    Sequence size_ = 0;
    Sequence taken_ = 0;     // events before this one were handed to the store
    Sequence durable_ = 0;   // and these are on the disk
    Time oldest_taken_{};    // when the first event between durable_ and taken_ was appended
    Time oldest_pending_{};  // the same between taken_ and size_
};

}  // namespace confab::chat
