#include "llm/error_body.hpp"

#include <algorithm>
#include <vector>

#include "base/text.hpp"
#include "llm/lenient_json.hpp"
#include "llm/utf8_joiner.hpp"

namespace confab::llm {

namespace {

namespace json = base::json;

constexpr std::string_view kRedacted = "[redacted]";

// Text of a web page that is looked at for a title.
constexpr std::size_t kErrorPageBytesMax = std::size_t{16} << 10;

// A string as it is, anything else as JSON; null is nothing.
std::string text_of(const json::value* value) {
    if (value == nullptr || value->is_null()) {
        return {};
    }
    return value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
}

const json::object* object_of(const json::value* value) {
    return value != nullptr ? value->if_object() : nullptr;
}

// OpenRouter says "Provider returned error" and puts the provider's own words into metadata.raw.
void append_provider_words(std::string& message, const json::object& error) {
    const json::object* metadata = object_of(base::find(error, "metadata"));
    const std::string_view words = metadata != nullptr ? base::find_string(*metadata, "raw") : std::string_view();
    if (!words.empty()) {
        message += message.empty() ? "" : ": ";
        message += words;
    }
}

ErrorBody error_of_member(const json::value& error) {
    const json::object* object = error.if_object();
    if (object == nullptr) {
        return {text_of(&error), {}};
    }
    ErrorBody result{text_of(base::find(*object, "message")), text_of(base::find(*object, "code"))};
    append_provider_words(result.message, *object);
    if (result.code.empty()) {
        result.code = base::find_string(*object, "type");
    }
    if (result.message.empty()) {
        result.message = result.code.empty() ? json::serialize(error) : result.code;
    }
    return result;
}

// FastAPI: {"detail": "text"} or {"detail": [{"loc": [...], "msg": "text"}, ...]}.
std::string text_of_detail(const json::value& detail) {
    const json::array* list = detail.if_array();
    if (list == nullptr) {
        const json::object* object = detail.if_object();
        return object != nullptr ? error_of(*object).message : text_of(&detail);
    }
    std::string text;
    for (const json::value& entry : *list) {
        const json::object* object = entry.if_object();
        text += text.empty() ? "" : "; ";
        text += object != nullptr ? text_of(base::find(*object, "msg")) : text_of(&entry);
    }
    return text;
}

// The title of a page, or its text without the tags.
std::string text_of_page(std::string_view page) {
    page = page.substr(0, kErrorPageBytesMax);
    const std::string lower = base::ascii_lower(page);
    const auto title = lower.find("<title");
    const auto begin = title == std::string::npos ? std::string::npos : lower.find('>', title);
    const auto end = begin == std::string::npos ? std::string::npos : lower.find("</title", begin);
    if (end != std::string::npos) {
        page = page.substr(begin + 1, end - begin - 1);
    }
    std::string text;
    bool in_tag = false;
    for (const char c : page) {
        if (c == '<' || c == '>') {
            in_tag = c == '<';
            text += ' ';
        } else if (!in_tag) {
            text += c;
        }
    }
    return "The model server answered with a web page: " + text;
}

ErrorBody error_of_json(const json::value& value) {
    const json::value* first = &value;
    if (const json::array* list = value.if_array(); list != nullptr && !list->empty()) {
        first = &list->front();  // Gemini wraps its errors in an array
    }
    const json::object* object = first->if_object();
    return object != nullptr ? error_of(*object) : ErrorBody{text_of(first), {}};
}

}  // namespace

ErrorBody error_of(const json::object& object) {
    if (const json::value* error = base::find(object, "error"); error != nullptr && !error->is_null()) {
        ErrorBody result = error_of_member(*error);
        if (result.code.empty()) {
            result.code = text_of(base::find(object, "code"));
        }
        return result;
    }
    ErrorBody result{text_of(base::find(object, "message")), text_of(base::find(object, "code"))};
    if (const json::value* detail = base::find(object, "detail"); detail != nullptr && result.message.empty()) {
        result.message = text_of_detail(*detail);
    }
    return result;
}

ErrorBody parse_error_body(unsigned status, std::string_view body, std::span<const std::string_view> secrets) {
    const std::string_view text = base::trim(body);
    ErrorBody result;
    if (text.starts_with('{') || text.starts_with('[')) {
        EventArena arena;
        if (const auto parsed = parse_prefix(text, arena.storage())) {
            result = error_of_json(parsed->value);
        }
    }
    if (result.message.empty()) {
        result.message = text.starts_with('<') ? text_of_page(text) : std::string(text);
    }
    redact(result.message, secrets);
    redact(result.code, secrets);
    result.message = tidy_message(result.message);
    result.code = tidy_message(result.code);
    if (result.message.empty()) {
        result.message = "The model server answered with status " + std::to_string(status) + " and no explanation.";
    }
    return result;
}

void redact(std::string& text, std::span<const std::string_view> secrets) {
    std::vector<std::string_view> longest_first(secrets.begin(), secrets.end());
    std::ranges::sort(longest_first, std::ranges::greater{}, &std::string_view::size);
    for (const std::string_view secret : longest_first) {
        if (secret.empty()) {
            continue;
        }
        std::string clean;
        std::size_t begin = 0;
        for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, begin)) {
            clean.append(text, begin, at - begin).append(kRedacted);
            begin = at + secret.size();
        }
        text = clean.append(text, begin);
    }
}

std::string tidy_message(std::string_view text) {
    std::string line;
    bool space_due = false;
    for (const char c : valid_utf8(text)) {
        if (static_cast<unsigned char>(c) <= ' ' || c == 0x7F) {
            space_due = !line.empty();
            continue;
        }
        if (std::exchange(space_due, false)) {
            line += ' ';
        }
        line += c;
    }
    line.resize(base::utf8_prefix(line, kErrorMessageBytesMax).size());
    return line;
}

bool refuses_stream_options(unsigned status, const ErrorBody& error) {
    return (status == 400 || status == 422) && error.message.find("stream_options") != std::string::npos;
}

}  // namespace confab::llm
