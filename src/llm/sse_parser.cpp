#include "llm/sse_parser.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace confab::llm {

namespace {

constexpr std::size_t kBomDone = 4;

// Buffers larger than this are given back after the event that needed them, so that one big image does not cost its
// size for the rest of the stream.
constexpr std::size_t kKeptBytesMax = std::size_t{16} << 10;

void reset(std::string& buffer) {
    if (buffer.capacity() > kKeptBytesMax) {
        std::string().swap(buffer);
    } else {
        buffer.clear();
    }
}

// Finds the ends of lines in a buffer. The next LF and the next CR are remembered, so that a buffer that holds only one
// of the two is still searched once and not once per line.
class LineEnds {
public:
    explicit LineEnds(std::string_view bytes) : bytes_(bytes), lf_(bytes.find('\n')), cr_(bytes.find('\r')) {}

    // The first line end at or after `from`, npos when there is none.
    std::size_t next(std::size_t from) {
        if (lf_ < from) {
            lf_ = bytes_.find('\n', from);
        }
        if (cr_ < from) {
            cr_ = bytes_.find('\r', from);
        }
        return std::min(lf_, cr_);
    }

private:
    std::string_view bytes_;
    std::size_t lf_;
    std::size_t cr_;
};

}  // namespace

base::Status SseParser::feed(std::string_view bytes, SseHandler& handler) {
    if (bom_bytes_ < kBomDone) {
        bytes = strip_bom(bytes);
    }
    if (skip_lf_ && !bytes.empty()) {
        skip_lf_ = false;
        if (bytes.front() == '\n') {
            bytes.remove_prefix(1);
        }
    }
    LineEnds ends(bytes);
    std::size_t begin = 0;
    while (!stopped_) {
        const std::size_t end = ends.next(begin);
        if (end == std::string_view::npos) {
            return keep_rest(bytes.substr(begin));
        }
        const std::string_view piece = bytes.substr(begin, end - begin);
        if (line_.empty()) {
            TRY_VOID(take_line(piece, Lifetime::this_feed, handler));
        } else {
            TRY_VOID(keep_rest(piece));
            TRY_VOID(take_line(line_, Lifetime::this_line, handler));
            reset(line_);
        }
        begin = end + 1;
        if (bytes[end] == '\r') {
            // The line is complete now; waiting for a possible LF would hold the event back.
            if (begin == bytes.size()) {
                skip_lf_ = true;
            } else if (bytes[begin] == '\n') {
                ++begin;
            }
        }
    }
    return {};
}

base::Status SseParser::finish(SseHandler& handler) {
    if (!stopped_ && !line_.empty()) {
        TRY_VOID(take_line(line_, Lifetime::this_line, handler));
        reset(line_);
    }
    if (!stopped_) {
        dispatch(handler);
    }
    stopped_ = true;
    return {};
}

base::Status SseParser::take_line(std::string_view line, Lifetime lifetime, SseHandler& handler) {
    if (line.size() > event_bytes_max_) {
        return too_large();
    }
    if (line.empty()) {
        dispatch(handler);
        return {};
    }
    const std::size_t colon = line.find(':');
    if (colon == 0) {
        handler.on_comment(line.substr(1));
        return {};
    }
    if (colon == std::string_view::npos) {
        return take_field(line, {}, lifetime);
    }
    std::string_view value = line.substr(colon + 1);
    if (value.starts_with(' ')) {
        value.remove_prefix(1);
    }
    return take_field(line.substr(0, colon), value, lifetime);
}

base::Status SseParser::take_field(std::string_view name, std::string_view value, Lifetime lifetime) {
    if (name == "data") {
        return add_data(value, lifetime);
    }
    if (name == "event") {
        type_.assign(value);
    } else if (name == "error") {
        // llama-server before its PR 16109 wrote stream errors as a field of this name.
        type_.assign("error");
        return add_data(value, lifetime);
    }
    return {};
}

base::Status SseParser::add_data(std::string_view value, Lifetime lifetime) {
    if (!has_data_ && lifetime == Lifetime::this_feed) {
        data_view_ = value;
        has_data_ = true;
        return {};
    }
    if (!data_view_.empty()) {
        data_.assign(data_view_);
        data_view_ = {};
    }
    if (has_data_) {
        data_ += '\n';
    }
    has_data_ = true;
    if (data_.size() + value.size() > event_bytes_max_) {
        return too_large();
    }
    data_ += value;
    return {};
}

void SseParser::dispatch(SseHandler& handler) {
    const std::string_view data = data_view_.empty() ? std::string_view(data_) : data_view_;
    if (!data.empty() && handler.on_event(SseEvent{type_, data}) == SseHandler::Next::stop) {
        stopped_ = true;
    }
    reset(data_);
    reset(type_);
    data_view_ = {};
    has_data_ = false;
}

// The buffer being fed ends within a line or an event: what is still needed of it is copied.
base::Status SseParser::keep_rest(std::string_view rest) {
    if (!data_view_.empty()) {
        data_.assign(data_view_);
        data_view_ = {};
    }
    if (line_.size() + rest.size() > event_bytes_max_) {
        return too_large();
    }
    line_ += rest;
    return {};
}

base::Status SseParser::too_large() {
    stopped_ = true;
    return base::fail(base::Errc::too_large, "The model server sent an event that is too large.", "event_too_large");
}

// Drops a byte order mark at the very start, also when it comes in pieces.
std::string_view SseParser::strip_bom(std::string_view bytes) {
    while (bom_bytes_ < base::kUtf8Bom.size() && !bytes.empty() && bytes.front() == base::kUtf8Bom[bom_bytes_]) {
        ++bom_bytes_;
        bytes.remove_prefix(1);
    }
    if (!bytes.empty() || bom_bytes_ == base::kUtf8Bom.size()) {
        if (bom_bytes_ < base::kUtf8Bom.size()) {
            line_.assign(base::kUtf8Bom.substr(0, bom_bytes_));  // it was the beginning of something else
        }
        bom_bytes_ = kBomDone;
    }
    return bytes;
}

}  // namespace confab::llm
