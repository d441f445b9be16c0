#include "web/multipart.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/text.hpp"

namespace confab::web {

namespace {

using base::Result;

constexpr std::size_t kPaddingBytesMax = 64;  // blanks between a delimiter and its line end

std::unexpected<base::Error> malformed(std::string message) {
    return base::fail(base::Errc::invalid_request, std::move(message), "malformed_multipart");
}

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

// RFC 2046's characters of a boundary; a space may not end it.
bool is_boundary(std::string_view text) {
    constexpr std::string_view kOthers = "'()+_,-./:=? ";
    const auto is_good = [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               kOthers.find(c) != std::string_view::npos;
    };
    return !text.empty() && text.size() <= kBoundaryBytesMax && text.back() != ' ' &&
           std::ranges::all_of(text, is_good);
}

// Takes a quoted string off the front of `text`, which begins after the opening quote; nothing when it does not end.
std::optional<std::string> take_quoted(std::string_view& text) {
    std::string value;
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        if (c == '"') {
            return value;
        }
        if (c == '\\' && !text.empty() && text.front() == '"') {
            value += '"';  // a lone backslash stays: some clients send paths
            text.remove_prefix(1);
        } else {
            value += c;
        }
    }
    return std::nullopt;
}

using Parameters = std::vector<std::pair<std::string, std::string>>;

// "; name=value; name=\"value\"" with names in lower case; nothing when malformed or when a name comes twice.
std::optional<Parameters> parse_parameters(std::string_view text) {
    Parameters parameters;
    for (text = base::trim(text); !text.empty(); text = base::trim(text)) {
        if (text.front() != ';') {
            return std::nullopt;
        }
        text = base::trim(text.substr(1));
        if (text.empty()) {
            break;  // a last semicolon with nothing behind it
        }
        const auto equals = text.find('=');
        if (equals == std::string_view::npos || equals == 0) {
            return std::nullopt;
        }
        std::string name = base::ascii_lower(base::trim(text.substr(0, equals)));
        text.remove_prefix(equals + 1);
        std::optional<std::string> value;
        if (text.starts_with('"')) {
            text.remove_prefix(1);
            value = take_quoted(text);
        } else {
            value = base::trim(text.substr(0, text.find(';')));
            text.remove_prefix(std::min(text.size(), text.find(';')));
        }
        const auto same = [&](const auto& one) { return one.first == name; };
        if (!value || std::ranges::any_of(parameters, same)) {
            return std::nullopt;
        }
        parameters.emplace_back(std::move(name), *std::move(value));
    }
    return parameters;
}

std::optional<std::string> find_parameter(const Parameters& parameters, std::string_view name) {
    const auto found = std::ranges::find(parameters, name, &Parameters::value_type::first);
    return found == parameters.end() ? std::nullopt : std::optional(found->second);
}

// Browsers write a quote inside a name as %22.
std::string restore_quotes(std::string text) {
    for (auto at = text.find("%22"); at != std::string::npos; at = text.find("%22", at + 1)) {
        text.replace(at, 3, "\"");
    }
    return text;
}

base::Status parse_disposition(std::string_view value, PartHead& head) {
    const std::string_view kind = base::trim(value.substr(0, value.find(';')));
    value.remove_prefix(std::min(value.size(), value.find(';')));
    const auto parameters = parse_parameters(value);
    if (!base::iequals(kind, "form-data") || !parameters) {
        return malformed("A part's content-disposition is malformed.");
    }
    const auto name = find_parameter(*parameters, "name");
    if (!name || name->empty()) {
        return malformed("A part has no name.");
    }
    head.name = restore_quotes(*name);
    if (auto filename = find_parameter(*parameters, "filename")) {
        head.filename = restore_quotes(*std::move(filename));
    }
    return {};
}

// `text` is a part's head without the empty line that ends it.
Result<PartHead> parse_head(std::string_view text) {
    PartHead head;
    bool disposed = false;
    while (!text.empty()) {
        const auto end = text.find("\r\n");
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(text.size(), line.size() + 2));
        const auto colon = line.find(':');
        constexpr std::string_view kForbidden("\0\r\n", 3);
        if (colon == std::string_view::npos || line.find_first_of(kForbidden) != std::string_view::npos) {
            return malformed("A part's head is malformed.");
        }
        const std::string_view name = line.substr(0, colon);
        const std::string_view value = base::trim(line.substr(colon + 1));
        if (base::iequals(name, "content-disposition")) {
            if (std::exchange(disposed, true)) {
                return malformed("A part has two content-dispositions.");
            }
            TRY_VOID(parse_disposition(value, head));
        } else if (base::iequals(name, "content-type")) {
            head.content_type = value;
        }
    }
    if (!disposed) {
        return malformed("A part has no content-disposition.");
    }
    return head;
}

}  // namespace

Result<std::string> form_boundary(std::string_view content_type) {
    const std::string_view kind = base::trim(content_type.substr(0, content_type.find(';')));
    if (!base::iequals(kind, "multipart/form-data")) {
        return base::fail(
            base::Errc::unsupported_media,
            "The body must be a form: send content-type: multipart/form-data.",
            "unsupported_content_type"
        );
    }
    content_type.remove_prefix(std::min(content_type.size(), content_type.find(';')));
    const auto parameters = parse_parameters(content_type);
    const auto boundary = parameters ? find_parameter(*parameters, "boundary") : std::nullopt;
    if (!boundary || !is_boundary(*boundary)) {
        return malformed("The content type must name a boundary of 1 to 70 characters.");
    }
    return *boundary;
}

MultipartParser::MultipartParser(std::string_view boundary) : delimiter_("\r\n--" + std::string(boundary)) {}

// Takes content up to the next delimiter or the end of what was fed, leaving it in data_. True: the delimiter itself
// was taken. CR stands only at the beginning of a delimiter, so a broken match can only begin anew at a later CR.
bool MultipartParser::reach_delimiter() {
    data_ = {};
    while (!in_.empty() && matched_ > 0 && matched_ < delimiter_.size() && in_.front() == delimiter_[matched_]) {
        in_.remove_prefix(1);
        ++matched_;
    }
    if (matched_ == delimiter_.size()) {
        matched_ = 0;
        return true;
    }
    if (in_.empty()) {
        return false;
    }
    if (matched_ > 0) {
        data_ = std::string_view(delimiter_).substr(0, std::exchange(matched_, 0));  // it was content after all
        return false;
    }
    if (const auto found = in_.find(delimiter_); found != std::string_view::npos) {
        data_ = in_.substr(0, found);
        in_.remove_prefix(found + delimiter_.size());
        matched_ = delimiter_.size();
        return data_.empty() && reach_delimiter();
    }
    data_ = in_;
    const auto last = in_.rfind('\r');
    if (last != std::string_view::npos && std::string_view(delimiter_).starts_with(in_.substr(last))) {
        data_ = in_.substr(0, last);
        matched_ = in_.size() - last;
    }
    in_ = {};
    return false;
}

// Two hyphens close the form, a line end begins a part; nothing: need more.
Result<std::optional<MultipartParser::Event>> MultipartParser::after_delimiter() {
    while (!in_.empty()) {
        line_ += in_.front();
        in_.remove_prefix(1);
        if (line_ == "--") {
            state_ = State::epilogue;
            return Event::end;
        }
        if (line_.ends_with("\r\n")) {
            const auto padding = std::string_view(line_).substr(0, line_.size() - 2);
            if (!std::ranges::all_of(padding, is_blank) || ++parts_ > kPartsMax) {
                break;
            }
            state_ = State::head;
            line_.clear();
            return std::nullopt;
        }
        if (line_.size() > kPaddingBytesMax) {
            break;
        }
    }
    if (in_.empty() && line_.size() <= kPaddingBytesMax && !line_.ends_with("\r\n")) {
        return std::nullopt;
    }
    return malformed(
        parts_ > kPartsMax ? "The form has more than " + std::to_string(kPartsMax) + " parts."
                           : "A delimiter of the form is malformed."
    );
}

// True: the head is whole and in head_. False: need more.
Result<bool> MultipartParser::read_head() {
    while (!in_.empty()) {
        line_ += in_.front();
        in_.remove_prefix(1);
        if (line_.size() > kPartHeadBytesMax) {
            return malformed("The head of a part is larger than 4 KiB.");
        }
        if (line_ == "\r\n" || line_.ends_with("\r\n\r\n")) {
            line_.resize(line_.size() - 2);
            TRY(head_, parse_head(line_));
            line_.clear();
            return true;
        }
    }
    return false;
}

Result<MultipartParser::Event> MultipartParser::next() {
    data_ = {};
    while (true) {
        const State before = state_;
        switch (state_) {
            case State::preamble:
                if (reach_delimiter()) {
                    state_ = State::after_delimiter;
                }
                break;
            case State::after_delimiter: {
                TRY(const auto event, after_delimiter());
                if (event) {
                    return *event;
                }
                break;
            }
            case State::head: {
                TRY(const bool whole, read_head());
                if (whole) {
                    state_ = State::content;
                    return Event::part;
                }
                break;
            }
            case State::content:
                if (reach_delimiter()) {
                    state_ = State::after_delimiter;
                    return Event::part_end;
                }
                if (!data_.empty()) {
                    return Event::data;
                }
                break;
            case State::epilogue: in_ = {}; break;
        }
        if (in_.empty() && state_ == before && matched_ < delimiter_.size()) {
            return Event::need_more;
        }
    }
}

}  // namespace confab::web
