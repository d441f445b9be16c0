// EventLog: what happened during a run, in order, compactly.
//
// An event's sequence number is its index. Only deltas carry text; everything else that a client sees of an event is
// rendered from its kind, its number and the facts of the run (event_json.hpp), so any viewer at any time gets the same
// bytes. The log's own bytes are what is stored: a stretch of it is a run chunk.
//
// Format of one record: kind (1 byte), payload length (LEB128), payload.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace confab::chat {

enum class EventKind : std::uint8_t {
    created = 1,
    queued,
    in_progress,
    item_added,  // payload: the item's id, 16 bytes
    part_added,
    text_delta,  // payload: text
    text_done,
    part_done,
    item_done,
    error,     // nothing worth keeping was made
    finished,  // completed, incomplete or failed: the run's status says which
};

struct Event {
    EventKind kind = EventKind::created;
    std::string_view payload;  // into the log
};

using Sequence = std::int64_t;

class EventLog {
public:
    void append(EventKind kind, std::string_view payload = {});

    // Appends records as stored. Fails (internal) when the bytes are no whole records; what came before stays appended.
    base::Status append_records(std::string_view records);

    Sequence size() const { return static_cast<Sequence>(starts_.size()); }

    Event at(Sequence sequence) const;

    // The records [from, to) as bytes, valid until the next append.
    std::string_view records(Sequence from, Sequence to) const;

    // All deltas joined.
    std::string text() const;

    // The payload of the first event of this kind, empty when there is none.
    std::string_view first_payload(EventKind kind) const;
    bool contains(EventKind kind) const;

    std::size_t bytes() const { return bytes_.size() + starts_.size() * sizeof(std::uint32_t); }

private:
    std::string bytes_;
    std::vector<std::uint32_t> starts_;  // where each record begins
};

}  // namespace confab::chat
