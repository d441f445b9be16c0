// Parsing of the JSON inside events: bounded, on memory the caller provides, and tolerant of what tokenisers do to
// text.
#pragma once

#include <array>
#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace confab::llm {

// Memory for the values of one event. It lives on the stack: a usual event of a few hundred bytes needs no allocation.
class EventArena {
public:
    EventArena() = default;
    EventArena(const EventArena&) = delete;
    EventArena& operator=(const EventArena&) = delete;

    base::json::storage_ptr storage() { return &resource_; }

private:
    std::array<unsigned char, 4096> bytes_;
    base::json::monotonic_resource resource_{bytes_.data(), bytes_.size()};
};

struct ParsedPrefix {
    base::json::value value;
    std::size_t bytes = 0;  // how much of the text the value took
};

enum class JsonFlaw {
    cut_short,  // the text ends before the value does
    malformed,
};

// Parses the value at the start of `text`; what follows it is the caller's business. Invalid UTF-8 inside strings is
// let through, since it may be half of a character whose other half comes with the next event.
std::expected<ParsedPrefix, JsonFlaw> parse_prefix(std::string_view text, const base::json::storage_ptr& storage);

// Parses `text` as one value with nothing but white space after it. An escape like \ud83d without its partner, which
// JSON parsers refuse, is let through as well: it becomes the three bytes UTF-8 would have for it (called WTF-8), which
// Utf8Joiner understands.
std::expected<base::json::value, JsonFlaw> parse_whole(std::string_view text, const base::json::storage_ptr& storage);

}  // namespace confab::llm
