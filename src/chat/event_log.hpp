// EventLog: what happened during a run, in order, compactly.
//
// An event's sequence number is its index. Only deltas carry text; everything else that a client sees of an event is
// rendered from its kind, its number, its place and the facts of the run (event_json.hpp), so any viewer at any time
// gets the same bytes. The log's own bytes are what is stored: a stretch of it is a run chunk.
//
// Format of one record: kind (1 byte), place, payload length (LEB128), payload. The place is there when the kind's
// highest bit is set: output index and content index, one byte each; otherwise both are 0.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"

namespace confab::chat {

// Stored: numbers stay.
enum class EventKind : std::uint8_t {
    created = 1,
    queued,
    in_progress,
    item_added,  // payload: announcement() of the item
    part_added,  // of text
    text_delta,  // payload: text, like that of the other deltas
    text_done,
    part_done,  // of text or a refusal
    item_done,
    error,     // nothing worth keeping was made
    finished,  // completed, incomplete or failed: the run's status says which
    refusal_added,
    refusal_delta,
    refusal_done,
    summary_added,
    summary_delta,
    summary_done,
    summary_part_done,
    arguments_delta,
    arguments_done,  // payload: JSON that has to be sent back with the call, or empty
};

// Output items of one response, and parts of one item. Real answers have a handful; a model server that changes between
// thinking and talking with every word must not make rows without end.
inline constexpr std::size_t kOutputItemsMax = 250;
inline constexpr std::size_t kOutputPartsMax = 250;

struct Event {
    EventKind kind = EventKind::created;
    std::uint8_t output = 0;   // which output item
    std::uint8_t content = 0;  // which part of it
    std::string_view payload;  // into the log
};

using Sequence = std::int64_t;

// What a part of an item is. A function call has one: its arguments.
enum class PartKind : std::uint8_t { text, refusal, summary, arguments };

// How far the newest part of an item is.
enum class PartState : std::uint8_t { open, text_done, done };

// An output item as far as the log tells. The texts of its parts are in the log: EventLog::text_of.
struct LoggedItem {
    base::ItemId id;
    std::string place;    // rendered members that each of its events repeats: "item_id":...,"output_index":...
    std::string call_id;  // of a function call, like the next two
    std::string name;
    std::string extra_content;  // JSON, mostly empty
    std::vector<PartKind> parts;
    PartState part_state = PartState::done;  // of the last part
    Sequence first = 0;                      // its first event
    Sequence done = -1;                      // its last one; -1: not yet

    bool is_open() const { return done < 0; }
};

// The payload of item_added; `call_id` and `name` (at most 64 KiB each) are of function calls only.
std::string announcement(const base::ItemId& id, std::string_view call_id = {}, std::string_view name = {});

// The constant members of an item's events.
std::string render_place(const base::ItemId& id, std::size_t output);

class EventLog {
public:
    void append(const Event& event);

    void append(EventKind kind) { append(Event{kind, 0, 0, {}}); }

    // Appends records as stored. Fails (internal) when the bytes are no whole records; what came before stays appended.
    base::Status append_records(std::string_view records);

    Sequence size() const { return static_cast<Sequence>(starts_.size()); }

    Event at(Sequence sequence) const;

    // The records [from, to) as bytes, valid until the next append.
    std::string_view records(Sequence from, Sequence to) const;

    // The items announced so far, by output index. Of a log that is only a stretch: those announced in it.
    const std::vector<LoggedItem>& items() const { return items_; }

    // JSON to be sent back with a function call: it becomes part of the call's last event but one.
    void set_extra_content(std::size_t output, std::string extra) { items_[output].extra_content = std::move(extra); }

    // All deltas of a part joined.
    std::string text_of(std::size_t output, std::size_t content) const;

    // Appends the events that are missing to the end of an item's newest part, or of the item; nothing when it has
    // ended.
    void close_part(std::size_t output);
    void close_item(std::size_t output);

    std::size_t bytes() const { return bytes_.size() + starts_.size() * sizeof(std::uint32_t); }

private:
    void note(const Event& event);
    void note_item(const Event& event);

    std::string bytes_;
    std::vector<std::uint32_t> starts_;  // where each record begins
    std::vector<LoggedItem> items_;
};

}  // namespace confab::chat
