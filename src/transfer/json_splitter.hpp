// JsonSplitter: cuts a JSON text of any length into values small enough to parse, without ever holding the whole.
//
// It walks into the containers that its owner wants to see from the inside, hands over the raw text of the values that
// are wanted whole, and passes over the rest. It only balances brackets and strings; whether a value is valid JSON its
// parser finds out, so that one bad value does not spoil its neighbours. No recursion: depth costs nothing.
// No I/O: feed() bytes, take events with next().
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace confab::transfer {

class JsonSplitter {
public:
    enum class Step : std::uint8_t { skip, capture, descend };

    enum class Event : std::uint8_t {
        need_more,  // feed() again, or finish() at the end of the text
        value,      // a captured one: path(), text()
        too_large,  // a value that was to be captured, longer than `value_bytes_max`; it was passed over
        begin,      // a container is walked into
        end,        // that container is complete
    };

    // `path` leads to the value in question, outermost first: keys, and "[]" for an array's element. `kind` is its first character. Only '{' and '[' can be walked into: another value
    // is captured instead.
    using Decide = std::function<Step(const std::vector<std::string>& path, char kind)>;

    JsonSplitter(std::size_t value_bytes_max, Decide decide)
        : value_bytes_max_(value_bytes_max), decide_(std::move(decide)) {}

    // `piece` must stay until the next feed(); only when next() said need_more.
    void feed(std::string_view piece);

    // Error: `invalid_request` (malformed_json), names the byte. Nothing can be read after it.
    base::Result<Event> next();

    // After the last piece: the text must be complete. Errors: `invalid_request` (truncated).
    base::Status finish() const;

    // Of the value or the container that the last event is about.
    const std::vector<std::string>& path() const { return path_; }

    const std::string& text() const { return text_; }  // until the next call of next()

    std::uint64_t offset() const { return consumed_ + at_; }

private:
    enum class State : std::uint8_t {
        before_value,      // a value must come
        before_element,    // a value, or the end of the array
        before_key,        // a key must come
        before_member,     // a key, or the end of the object
        in_key,
        before_colon,
        after_value,       // a comma, or the end of the container
        in_value,          // captured or skipped
    };

    struct Frame {
        bool object = false;
    };

    base::Result<Event> begin_value(char c);
    base::Result<Event> read_structure(char c);
    Event close();
    Event end_value();
    bool scan_value();
    bool scan_string(std::size_t& i);
    bool scan_key();
    std::unexpected<base::Error> malformed() const;
    void keep(std::string_view text);

    const std::size_t value_bytes_max_;
    const Decide decide_;
    std::string_view piece_;
    std::size_t at_ = 0;            // in piece_
    std::uint64_t consumed_ = 0;    // bytes of earlier pieces
    State state_ = State::before_value;
    std::vector<Frame> frames_;     // of the containers walked into
    std::vector<std::string> path_;
    std::string key_;               // raw, being read
    std::string text_;
    bool capturing_ = false;
    bool too_large_ = false;
    bool entering_ = false;         // the event before was the beginning of a container
    bool bare_ = false;             // the value is a number or a word: it ends before what follows
    bool in_string_ = false;
    bool escaped_ = false;
    std::uint64_t nested_ = 0;      // open brackets within the value
};

}  // namespace confab::transfer
