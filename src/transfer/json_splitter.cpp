#include "transfer/json_splitter.hpp"

#include <algorithm>
#include <utility>

#include "base/json.hpp"

namespace confab::transfer {

namespace {

constexpr std::size_t kKeyBytesMax = 64 * 1024;  // the beginning of a longer key stands for it
constexpr std::size_t kTextKeptBytes = 64 * 1024;  // of the buffer, after a value that needed more

bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// What may begin a value that is neither a string nor a container.
bool begins_bare(char c) {
    return c == '-' || (c >= '0' && c <= '9') || c == 't' || c == 'f' || c == 'n';
}

// The key as text; one that is no valid JSON stands for itself.
std::string unescape(const std::string& raw) {
    if (raw.find('\\') == std::string::npos) {
        return raw;
    }
    const auto value = base::parse_json("\"" + raw + "\"");
    return value && value->is_string() ? std::string(value->get_string()) : raw;
}

}  // namespace

void JsonSplitter::feed(std::string_view piece) {
    CONFAB_ASSERT(at_ == piece_.size());
    consumed_ += piece_.size();
    piece_ = piece;
    at_ = 0;
}

std::unexpected<base::Error> JsonSplitter::malformed() const {
    return base::invalid(
        "file", "The file is not valid JSON from byte " + std::to_string(offset()) + " on.", "malformed_json"
    );
}

base::Result<JsonSplitter::Event> JsonSplitter::next() {
    if (std::exchange(entering_, false)) {
        path_.emplace_back(frames_.back().object ? "" : "[]");
    }
    while (at_ < piece_.size()) {
        if (state_ == State::in_value) {
            if (scan_value()) {
                state_ = State::after_value;
                if (const Event event = end_value(); event != Event::need_more) {
                    return event;
                }
            }
            continue;
        }
        if (state_ == State::in_key) {
            if (scan_key()) {
                path_.back() = unescape(key_);
                state_ = State::before_colon;
            }
            continue;
        }
        const char c = piece_[at_];
        if (is_space(c)) {
            ++at_;
            continue;
        }
        TRY(const Event event, read_structure(c));
        if (event != Event::need_more) {
            return event;
        }
    }
    return Event::need_more;
}

// A character outside of values and keys. need_more: go on.
base::Result<JsonSplitter::Event> JsonSplitter::read_structure(char c) {
    switch (state_) {
        case State::before_element:
            if (c == ']') {
                return close();
            }
            return begin_value(c);
        case State::before_value: return begin_value(c);
        case State::before_member:
            if (c == '}') {
                return close();
            }
            [[fallthrough]];
        case State::before_key:
            if (c != '"') {
                return malformed();
            }
            ++at_;
            key_.clear();
            state_ = State::in_key;
            return Event::need_more;
        case State::before_colon:
            if (c != ':') {
                return malformed();
            }
            ++at_;
            state_ = State::before_value;
            return Event::need_more;
        case State::after_value:
            if (frames_.empty()) {
                return malformed();  // something after the outermost value
            }
            if (c == ',') {
                ++at_;
                state_ = frames_.back().object ? State::before_key : State::before_value;
                return Event::need_more;
            }
            if (c == (frames_.back().object ? '}' : ']')) {
                return close();
            }
            return malformed();
        case State::in_key:
        case State::in_value: break;
    }
    return malformed();
}

base::Result<JsonSplitter::Event> JsonSplitter::begin_value(char c) {
    const bool container = c == '{' || c == '[';
    if (!container && (frames_.empty() || (c != '"' && !begins_bare(c)))) {  // a file holds an object or an array
        return malformed();
    }
    Step step = decide_(path_, c);
    if (step == Step::descend && container) {
        ++at_;
        frames_.push_back({c == '{'});
        entering_ = true;
        state_ = c == '{' ? State::before_member : State::before_element;
        return Event::begin;
    }
    capturing_ = step != Step::skip;
    too_large_ = false;
    text_.clear();
    if (text_.capacity() > kTextKeptBytes) {
        text_.shrink_to_fit();
    }
    nested_ = 0;
    in_string_ = false;
    escaped_ = false;
    bare_ = !container && c != '"';
    state_ = State::in_value;
    return Event::need_more;
}

JsonSplitter::Event JsonSplitter::close() {
    ++at_;
    path_.pop_back();
    frames_.pop_back();
    state_ = State::after_value;
    return Event::end;
}

JsonSplitter::Event JsonSplitter::end_value() {
    if (!capturing_) {
        return Event::need_more;
    }
    return too_large_ ? Event::too_large : Event::value;
}

void JsonSplitter::keep(std::string_view text) {
    if (!capturing_ || too_large_) {
        return;
    }
    if (text_.size() + text.size() > value_bytes_max_) {
        too_large_ = true;
        text_.clear();
        text_.shrink_to_fit();
        return;
    }
    text_ += text;
}

// To behind the closing quote; false: it comes later. `i` stands in the string.
bool JsonSplitter::scan_string(std::size_t& i) {
    while (i < piece_.size()) {
        const char c = piece_[i++];
        if (escaped_) {
            escaped_ = false;
        } else if (c == '\\') {
            escaped_ = true;
        } else if (c == '"') {
            return true;
        }
    }
    return false;
}

bool JsonSplitter::scan_key() {
    const std::size_t begin = at_;
    const bool whole = scan_string(at_);
    const std::string_view part = piece_.substr(begin, at_ - begin - (whole ? 1 : 0));
    key_ += part.substr(0, kKeyBytesMax - std::min(kKeyBytesMax, key_.size()));
    return whole;
}

// On to the end of the value or of the piece; true: the value is complete.
bool JsonSplitter::scan_value() {
    const std::size_t begin = at_;
    std::size_t i = at_;
    bool whole = false;
    while (i < piece_.size() && !whole) {
        if (in_string_) {
            in_string_ = !scan_string(i);
            whole = !in_string_ && nested_ == 0;
            continue;
        }
        const char c = piece_[i];
        if (bare_) {
            if (c == ',' || c == '}' || c == ']' || is_space(c)) {
                whole = true;
                break;
            }
        } else if (c == '"') {
            in_string_ = true;
        } else if (c == '{' || c == '[') {
            ++nested_;
        } else if (c == '}' || c == ']') {
            whole = --nested_ == 0;
        }
        ++i;
    }
    keep(piece_.substr(begin, i - begin));
    at_ = i;
    return whole;
}

base::Status JsonSplitter::finish() const {
    if (state_ != State::after_value || !frames_.empty()) {
        return base::invalid(
            "file", "The file ends in the middle, after " + std::to_string(offset()) + " bytes.", "truncated"
        );
    }
    return {};
}

}  // namespace confab::transfer
