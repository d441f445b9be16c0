// A streaming parser of multipart/form-data (RFC 7578) without I/O: bytes in, events out, cut at any byte.
//
//   parser.feed(bytes);
//   for (event = next(); event != need_more && event != end; event = next()) ...
//
// It keeps the head of one part and nothing of its content: data() looks into the bytes last fed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace confab::web {

inline constexpr std::size_t kBoundaryBytesMax = 70;  // RFC 2046
inline constexpr std::size_t kPartHeadBytesMax = 4 * 1024;
inline constexpr int kPartsMax = 16;

struct PartHead {
    std::string name;
    std::optional<std::string> filename;  // as the client says, path and all; absent: a plain field
    std::string content_type;             // as declared; may be empty
};

// The boundary of a content type. Errors: unsupported_media (unsupported_content_type) for anything but
// multipart/form-data, invalid_request (malformed_multipart) when there is no usable boundary.
base::Result<std::string> form_boundary(std::string_view content_type);

class MultipartParser {
public:
    enum class Event : std::uint8_t {
        need_more,  // everything fed was taken
        part,       // a part begins: head()
        data,       // some of its content: data()
        part_end,
        end,  // the closing delimiter was seen; what follows is ignored
    };

    // `boundary` as form_boundary gives it.
    explicit MultipartParser(std::string_view boundary);

    // More bytes; they must stay until next() has said need_more.
    void feed(std::string_view bytes) { in_ = bytes; }

    // Errors, after which the parser is of no use: invalid_request (malformed_multipart).
    base::Result<Event> next();

    const PartHead& head() const { return head_; }

    std::string_view data() const { return data_; }  // not empty after Event::data; until the next call

    // The closing delimiter was seen: nothing is missing.
    bool complete() const { return state_ == State::epilogue; }

private:
    enum class State : std::uint8_t { preamble, after_delimiter, head, content, epilogue };

    bool reach_delimiter();
    base::Result<std::optional<Event>> after_delimiter();
    base::Result<bool> read_head();

    const std::string delimiter_;  // CR LF "--" boundary
    State state_ = State::preamble;
    std::string_view in_;
    std::string_view data_;
    std::size_t matched_ = 2;  // bytes of the delimiter seen; the first one needs no line end before it
    std::string line_;         // after a delimiter, or the head so far
    PartHead head_;
    int parts_ = 0;
};

}  // namespace confab::web
