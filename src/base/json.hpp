// JSON: a bounded parser (Boost.JSON) and an append-only writer that renders without building a tree.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "base/error.hpp"

namespace confab::base {

namespace json = boost::json;

inline constexpr std::size_t kJsonDepthMax = 64;  // nested arrays and objects; deeper input is refused

// What the values of a JSON text will hold once parsed, roughly and rather too much than too little: the text's own
// bytes, and 40 for each value, which a text of short values ("[1,1,1,...]") has one of in every other byte.
std::size_t parsed_bytes(std::string_view text);

// Parses one complete value. The error's message says what is wrong and where, never repeats the input.
Result<json::value> parse_json(std::string_view text, json::storage_ptr storage = {});

// Appends `text` with JSON's escapes, without the quotes. Invalid UTF-8 bytes become U+FFFD, so the output is always
// valid.
void append_escaped(std::string& out, std::string_view text);

std::string to_string(const json::value& value);

// Members of an object, or nullptr / nothing when absent or of another type.
const json::value* find(const json::object& object, std::string_view key);
std::string_view find_string(const json::object& object, std::string_view key);

// Renders JSON into a string the caller owns. Commas are placed by the writer; the caller balances begin and end.
//   JsonWriter out(text); out.begin_object(); out.member("id", id); out.end_object();
class JsonWriter {
public:
    explicit JsonWriter(std::string& out) : out_(out) {}

    void begin_object() { open('{'); }

    void end_object() { close('}'); }

    void begin_array() { open('['); }

    void end_array() { close(']'); }

    void key(std::string_view name) {
        comma();
        out_ += '"';
        append_escaped(out_, name);
        out_ += "\":";
        fresh_ = true;
    }

    void value(std::string_view text) {
        comma();
        out_ += '"';
        append_escaped(out_, text);
        out_ += '"';
    }

    void value(const char* text) { value(std::string_view(text)); }

    void value(const std::string& text) { value(std::string_view(text)); }

    void value(bool flag) {
        comma();
        out_ += flag ? "true" : "false";
    }

    void value(std::int64_t number) { integer(number); }

    void value(int number) { integer(number); }

    void value(unsigned number) { integer(number); }

    void value(std::uint64_t number) { integer(number); }

    void value(double number);

    void value(std::nullptr_t) {
        comma();
        out_ += "null";
    }

    // `rendered` is JSON already.
    void raw(std::string_view rendered) {
        comma();
        out_ += rendered;
    }

    template <class T>
    void member(std::string_view name, const T& content) {
        key(name);
        value(content);
    }

    void raw_member(std::string_view name, std::string_view rendered) {
        key(name);
        raw(rendered);
    }

    // Null when the text is empty.
    void member_or_null(std::string_view name, std::string_view text) {
        key(name);
        if (text.empty()) {
            value(nullptr);
        } else {
            value(text);
        }
    }

private:
    template <class Integer>
    void integer(Integer number) {
        comma();
        char digits[24];
        const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
        out_.append(digits, end);
    }

    void comma() {
        if (!fresh_) {
            out_ += ',';
        }
        fresh_ = false;
    }

    void open(char bracket) {
        comma();
        out_ += bracket;
        fresh_ = true;
    }

    void close(char bracket) {
        out_ += bracket;
        fresh_ = false;
    }

    std::string& out_;
    bool fresh_ = true;  // nothing stands before the next value in its container
};

}  // namespace confab::base
