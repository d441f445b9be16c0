// SSE parser: the bytes of a text/event-stream body -> events, by the rules of the HTML standard (section 9.2) where
// real model servers keep them, and leniently where they do not (api/upstream-quirks.md, rules 1 to 3).
//
// Sans-I/O: it owns no socket and never blocks. Where the bytes are cut does not matter: any cutting gives the same
// events. Memory is bounded by the event size cap. An event that lies within one fed buffer is handed on as views into
// that buffer; only what a cut tears apart is copied, into buffers that are used again, so a steady stream allocates
// nothing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace confab::llm {

// A line or an event longer than this is refused (rule 12). Images in answers come as base64 of a few MiB at most.
inline constexpr std::size_t kEventBytesMax = std::size_t{8} << 20;

struct SseEvent {
    std::string_view type;  // of the `event:` field; empty when there was none
    std::string_view data;  // the `data:` lines joined by LF, never empty
};

// Who receives the events. The views are valid only during the call.
class SseHandler {
public:
    enum class Next { more, stop };

    virtual ~SseHandler() = default;
    virtual Next on_event(const SseEvent& event) = 0;

    // A comment line: the server is alive. Most handlers need not know, since the bytes themselves show it.
    virtual void on_comment(std::string_view /*text*/) {}
};

// One per response body, used by one thread. After an error, or after the handler said stop, it ignores all further
// bytes.
class SseParser {
public:
    explicit SseParser(std::size_t event_bytes_max = kEventBytesMax) : event_bytes_max_(event_bytes_max) {}

    // Delivers every event that these bytes complete. Fails with `too_large` when a line or an event passes the cap.
    base::Status feed(std::string_view bytes, SseHandler& handler);

    // The body has ended: a last line without its end and a last event without its blank line are delivered too, unlike
    // EventSource does it, because model servers leave them out.
    base::Status finish(SseHandler& handler);

    bool stopped() const { return stopped_; }

    // Nothing is half done: the next byte begins an event.
    bool between_events() const {
        return !stopped_ && !skip_lf_ && !has_data_ && line_.empty() && type_.empty() && bom_bytes_ > kBomBytes;
    }

    // What is buffered between two calls, for the owner's byte lease.
    std::size_t bytes_held() const { return line_.capacity() + data_.capacity() + type_.capacity(); }

private:
    static constexpr std::size_t kBomBytes = 3;

    enum class Lifetime { this_feed, this_line };  // how long the bytes of a line stay where they are

    base::Status take_line(std::string_view line, Lifetime lifetime, SseHandler& handler);
    base::Status take_field(std::string_view name, std::string_view value, Lifetime lifetime);
    base::Status add_data(std::string_view value, Lifetime lifetime);
    void dispatch(SseHandler& handler);
    base::Status keep_rest(std::string_view rest);
    base::Status too_large();
    std::string_view strip_bom(std::string_view bytes);

    std::size_t event_bytes_max_;
    std::string line_;  // the beginning of a line whose end has not come yet
    std::string type_;
    std::string data_;            // data that could not stay a view
    std::string_view data_view_;  // the only data line so far, within the buffer being fed
    std::size_t bom_bytes_ = 0;   // bytes of a byte order mark seen at the very start; more than it has afterwards
    bool has_data_ = false;       // a data line was seen, though it may have been empty
    bool skip_lf_ = false;        // the last line ended in CR: an LF that follows belongs to it
    bool stopped_ = false;
};

}  // namespace confab::llm
