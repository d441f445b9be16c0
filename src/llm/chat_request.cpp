#include "llm/chat_request.hpp"

#include <algorithm>

namespace confab::llm {

namespace {

namespace json = base::json;

bool renders(const ChatRequest& request, std::string_view name) {
    if (name == "model" || name == "messages" || name == "stream" || name == "stream_options") {
        return true;
    }
    return (name == "temperature" && request.temperature) || (name == "top_p" && request.top_p) ||
           (name == "stop" && !request.stop.empty()) ||
           ((name == "max_tokens" || name == "max_completion_tokens") && request.output_tokens_max);
}

// The text of a part that is nothing but text; nothing for other parts.
std::optional<std::string_view> text_of(const json::object& part) {
    const std::string_view type = base::find_string(part, "type");
    if (type == "input_text" || type == "output_text" || type == "text") {
        return base::find_string(part, "text");
    }
    if (type == "refusal") {
        return base::find_string(part, "refusal");  // few servers know the chat form of it
    }
    return std::nullopt;
}

// Ids and details are plain; anything else must not get between the marks.
bool is_plain(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F; });
}

base::Status write_image(base::JsonWriter& out, const json::object& part) {
    const std::string_view url = base::find_string(part, "image_url");
    const std::string_view file = base::find_string(part, "file_id");
    if (!file.empty() && is_plain(file) && is_plain(base::find_string(part, "detail"))) {
        std::string mark(1, kImageMark);
        mark.append(file).append(" ").append(base::find_string(part, "detail")).append(1, kImageMark);
        out.raw(mark);
        return {};
    }
    if (url.empty()) {
        return base::invalid(
            "input", "An image can be sent to the model only by its file_id or image_url.", "unsupported_content"
        );
    }
    out.begin_object();
    out.member("type", "image_url");
    out.key("image_url");
    out.begin_object();
    out.member("url", url);
    if (const std::string_view detail = base::find_string(part, "detail"); !detail.empty()) {
        out.member("detail", detail);
    }
    out.end_object();
    out.end_object();
    return {};
}

base::Status write_file(base::JsonWriter& out, const json::object& part) {
    const std::string_view data = base::find_string(part, "file_data");
    if (data.empty()) {
        return base::invalid("input", "A file can be sent to the model only by its file_data.", "unsupported_content");
    }
    out.begin_object();
    out.member("type", "file");
    out.key("file");
    out.begin_object();
    if (const std::string_view name = base::find_string(part, "filename"); !name.empty()) {
        out.member("filename", name);
    }
    out.member("file_data", data);
    out.end_object();
    out.end_object();
    return {};
}

base::Status write_part(base::JsonWriter& out, const json::object& part) {
    if (const auto text = text_of(part)) {
        out.begin_object();
        out.member("type", "text");
        out.member("text", *text);
        out.end_object();
        return {};
    }
    const std::string_view type = base::find_string(part, "type");
    if (type == "input_image") {
        return write_image(out, part);
    }
    if (type == "input_file") {
        return write_file(out, part);
    }
    if (type == "image_url" || type == "input_audio" || type == "file") {
        out.raw(json::serialize(part));
        return {};
    }
    return base::invalid("input", "Content of this type cannot be sent to the model.", "unsupported_content");
}

}  // namespace

void ChatRequestWriter::begin(const ChatRequest& request) {
    json_.begin_object();
    json_.member("model", request.model);
    json_.member("stream", request.stream);
    if (request.stream && request.include_usage) {
        json_.raw_member("stream_options", R"({"include_usage":true})");
    }
    if (request.output_tokens_max) {
        const bool renamed = request.token_limit_field == TokenLimitField::max_completion_tokens;
        json_.member(renamed ? "max_completion_tokens" : "max_tokens", *request.output_tokens_max);
    }
    if (request.temperature) {
        json_.member("temperature", *request.temperature);
    }
    if (request.top_p) {
        json_.member("top_p", *request.top_p);
    }
    if (!request.stop.empty()) {
        json_.key("stop");
        json_.begin_array();
        std::ranges::for_each(request.stop, [this](const std::string& text) { json_.value(text); });
        json_.end_array();
    }
    for (const auto& [name, rendered] : request.extra_members) {
        if (!renders(request, name)) {
            json_.raw_member(name, rendered);
        }
    }
    json_.key("messages");
    json_.begin_array();
}

void ChatRequestWriter::message(const ChatMessage& message) {
    json_.begin_object();
    json_.member("role", message.role);
    if (message.format == ContentFormat::json) {
        json_.raw_member("content", message.content);
    } else {
        json_.member("content", message.content);
    }
    json_.end_object();
}

void ChatRequestWriter::end() {
    json_.end_array();
    json_.end_object();
}

base::Result<std::string> chat_content(std::string_view content_json) {
    TRY(const json::value content, base::parse_json(content_json));
    const json::array* parts = content.if_array();
    if (parts == nullptr) {
        return base::invalid("input", "The content of a message must be an array of parts.");
    }
    std::string rendered;
    base::JsonWriter out(rendered);
    const json::object* only = parts->size() == 1 ? parts->front().if_object() : nullptr;
    if (const auto text = only != nullptr ? text_of(*only) : std::nullopt; text || parts->empty()) {
        out.value(text.value_or(std::string_view()));
        return rendered;
    }
    out.begin_array();
    for (const json::value& entry : *parts) {
        const json::object* part = entry.if_object();
        if (part == nullptr) {
            return base::invalid("input", "A content part must be an object.");
        }
        TRY_VOID(write_part(out, *part));
    }
    out.end_array();
    return rendered;
}

}  // namespace confab::llm
