#include "transfer/foreign_messages.hpp"

#include "base/text.hpp"
#include "transfer/message_parts.hpp"
#include "transfer/value_parser.hpp"

namespace confab::transfer {

namespace {

namespace json = base::json;
using base::Result;
using store::ItemRole;

std::unexpected<base::Error> no_message() {
    return base::invalid("file", "A message is not as it should be; it was left out.", "invalid_message");
}

std::optional<ItemRole> role_of(std::string_view name) {
    if (name == "user" || name == "human") {
        return ItemRole::user;
    }
    if (name == "assistant") {
        return ItemRole::assistant;
    }
    if (name == "system") {
        return ItemRole::system;
    }
    if (name == "developer") {
        return ItemRole::developer;
    }
    if (name == "tool") {
        return ItemRole::tool;
    }
    return std::nullopt;
}

std::string_view view(const json::string& text) {
    return {text.data(), text.size()};
}

void append_paragraph(std::string& text, std::string_view more) {
    if (base::trim(more).empty()) {
        return;
    }
    if (!text.empty()) {
        text += "\n\n";
    }
    text += more;
}

std::string fenced(std::string_view language, std::string_view text) {
    if (base::trim(text).empty()) {
        return {};
    }
    const bool plain = language == "unknown" || language.find_first_of("`\n ") != std::string_view::npos;
    std::string fence = "```";
    while (text.find(fence) != std::string_view::npos) {
        fence += '`';
    }
    return fence + std::string(plain ? std::string_view() : language) + "\n" + std::string(text) + "\n" + fence;
}

// ---- ChatGPT ----

// `parts`: texts, and objects for images, sound and what was said.
std::string chatgpt_parts(const json::object& content, LeftOut& left_out) {
    std::string text;
    const json::array* parts = find_array(content, "parts");
    if (parts == nullptr) {
        return text;
    }
    for (const json::value& part : *parts) {
        if (part.is_string()) {
            append_paragraph(text, view(part.get_string()));
        } else if (const json::object* object = part.if_object()) {
            const std::string_view said = base::find_string(*object, "text");
            append_paragraph(text, said);
            left_out.images += said.empty() ? 1 : 0;
        }
    }
    return text;
}

std::string chatgpt_thoughts(const json::object& content) {
    std::string text;
    const json::array* thoughts = find_array(content, "thoughts");
    if (thoughts == nullptr) {
        return text;
    }
    for (const json::value& thought : *thoughts) {
        if (const json::object* object = thought.if_object()) {
            append_paragraph(text, base::find_string(*object, "summary"));
            append_paragraph(text, base::find_string(*object, "content"));
        }
    }
    return text;
}

// Content types that are the program's own: what it knows of its user, and notes about its thinking.
bool is_internal(std::string_view type) {
    return type == "user_editable_context" || type == "model_editable_context" || type == "reasoning_recap";
}

void read_chatgpt_content(SourceMessage& message, ItemRole role, const json::object& content, LeftOut& left_out) {
    const std::string_view type = base::find_string(content, "content_type");
    if (is_internal(type)) {
        return;
    }
    if (type == "thoughts") {
        add_reasoning(message, chatgpt_thoughts(content));
        return;
    }
    std::string text;
    if (type == "code") {
        text = fenced(base::find_string(content, "language"), base::find_string(content, "text"));
    } else if (type == "execution_output") {
        text = fenced("", base::find_string(content, "text"));
    } else if (find_array(content, "parts") != nullptr) {
        text = chatgpt_parts(content, left_out);
    } else {  // quotes, results of browsing, errors
        for (const std::string_view name : {"title", "result", "text"}) {
            append_paragraph(text, base::find_string(content, name));
        }
    }
    // What a tool gave back has no call here that it answers: it is shown as part of the answer.
    add_text(message, role == ItemRole::tool ? ItemRole::assistant : role, text);
}

}  // namespace

Result<SourceMessage> read_chatgpt_node(std::string_view key, const json::value& value, LeftOut& left_out) {
    const json::object* node = value.if_object();
    if (node == nullptr) {
        return no_message();
    }
    SourceMessage message;
    message.id = key;
    message.parent = read_id(base::find(*node, "parent"));
    const json::value* inner = base::find(*node, "message");
    if (inner == nullptr || inner->is_null()) {
        return message;
    }
    const json::object* object = inner->if_object();
    const json::object* author = object == nullptr ? nullptr : find_object(*object, "author");
    const json::object* content = object == nullptr ? nullptr : find_object(*object, "content");
    const auto role = author == nullptr ? std::nullopt : role_of(base::find_string(*author, "role"));
    if (!role || content == nullptr) {
        return no_message();
    }
    message.created_at = read_time(base::find(*object, "create_time"));
    const json::object* metadata = find_object(*object, "metadata");
    if (metadata != nullptr && read_flag(*metadata, "is_visually_hidden_from_conversation")) {
        return message;
    }
    read_chatgpt_content(message, *role, *content, left_out);
    if (*role == ItemRole::assistant && metadata != nullptr) {
        message.model = base::utf8_prefix(base::find_string(*metadata, "model_slug"), kModelBytesMax);
    }
    return message;
}

// ---- Claude ----

namespace {

// A root names a parent of zeros.
bool is_no_parent(std::string_view id) {
    return id.starts_with("00000000-0000-");
}

// What a tool gave back: a text, or blocks.
std::string claude_result(const json::object& block) {
    const json::value* content = base::find(block, "content");
    if (content != nullptr && content->is_string()) {
        return std::string(content->get_string());
    }
    std::string text;
    if (content != nullptr && content->is_array()) {
        for (const json::value& part : content->get_array()) {
            if (const json::object* object = part.if_object()) {
                append_paragraph(text, base::find_string(*object, "text"));
            }
        }
    }
    return text;
}

void read_claude_block(SourceMessage& message, ItemRole role, const json::object& block, std::string& call) {
    const std::string_view type = base::find_string(block, "type");
    if (type == "text") {
        add_text(message, role, base::find_string(block, "text"));
    } else if (type == "thinking") {
        add_reasoning(message, base::find_string(block, "thinking"));
    } else if (type == "tool_use") {
        const json::value* input = base::find(block, "input");
        call = base::utf8_prefix(base::find_string(block, "id"), 64);
        if (call.empty()) {
            call = "call_" + std::to_string(message.items.size());
        }
        add_call(
            message,
            call,
            base::utf8_prefix(base::find_string(block, "name"), kModelBytesMax),
            input == nullptr ? std::string("{}") : base::to_string(*input)
        );
    } else if (type == "tool_result") {
        if (!call.empty()) {  // the result of the call before it; without one nothing is answered
            add_call_output(message, call, claude_result(block));
        } else {
            add_text(message, role, claude_result(block));
        }
        call.clear();
    }
}

// Texts that were pasted or uploaded stand with the message, each under its name.
void add_claude_attachments(SourceMessage& message, const json::object& object, LeftOut& left_out) {
    if (const json::array* attachments = find_array(object, "attachments")) {
        for (const json::value& value : *attachments) {
            const json::object* attachment = value.if_object();
            const std::string_view text =
                attachment == nullptr ? std::string_view() : base::find_string(*attachment, "extracted_content");
            if (text.empty()) {
                ++left_out.images;
                continue;
            }
            const std::string name(base::find_string(*attachment, "file_name"));
            add_text(message, ItemRole::user, (name.empty() ? std::string() : name + "\n\n") + fenced("", text));
        }
    }
    if (const json::array* files = find_array(object, "files")) {
        left_out.images += static_cast<std::int64_t>(files->size());
    }
}

}  // namespace

Result<SourceMessage> read_claude_message(
    const json::value& value,
    const std::string& previous,
    std::size_t index,
    LeftOut& left_out
) {
    const json::object* object = value.if_object();
    const auto role = object == nullptr ? std::nullopt : role_of(base::find_string(*object, "sender"));
    if (!role) {
        return no_message();
    }
    SourceMessage message;
    message.id = read_id(base::find(*object, "uuid"));
    if (message.id.empty()) {
        message.id = "#" + std::to_string(index);
    }
    const json::value* parent = base::find(*object, "parent_message_uuid");
    message.parent = parent == nullptr ? previous : read_id(parent);
    if (is_no_parent(message.parent)) {
        message.parent.clear();
    }
    message.created_at = read_time(base::find(*object, "created_at"));
    add_claude_attachments(message, *object, left_out);
    const std::size_t attached = message.items.size();
    if (const json::array* blocks = find_array(*object, "content")) {
        std::string call;
        for (const json::value& block : *blocks) {
            if (const json::object* members = block.if_object()) {
                read_claude_block(message, *role, *members, call);
            }
        }
    }
    if (message.items.size() == attached) {
        add_text(message, *role, base::find_string(*object, "text"));
    }
    return message;
}

// ---- Open WebUI ----

namespace {

// It writes thoughts into the text: <details type="reasoning" ...><summary>..</summary>\n> thought\n</details>
std::string_view take_openwebui_reasoning(SourceMessage& message, std::string_view text) {
    constexpr std::string_view kBegin = "<details type=\"reasoning\"";
    constexpr std::string_view kSummaryEnd = "</summary>";
    constexpr std::string_view kEnd = "</details>";
    const std::string_view trimmed = base::trim(text);
    if (!trimmed.starts_with(kBegin)) {
        return text;
    }
    const auto end = trimmed.find(kEnd);
    const auto summary = trimmed.find(kSummaryEnd);
    if (end == std::string_view::npos || summary == std::string_view::npos || summary > end) {
        return text;
    }
    std::string thought;
    std::string_view quoted = base::trim(trimmed.substr(summary + kSummaryEnd.size(), end - summary - kSummaryEnd.size()));
    while (!quoted.empty()) {
        const auto line_end = quoted.find('\n');
        std::string_view line = quoted.substr(0, line_end);
        quoted = line_end == std::string_view::npos ? std::string_view() : quoted.substr(line_end + 1);
        if (line.starts_with("&gt;")) {
            line.remove_prefix(4);
        } else if (line.starts_with('>')) {
            line.remove_prefix(1);
        }
        thought += line.starts_with(' ') ? line.substr(1) : line;
        thought += '\n';
    }
    add_reasoning(message, base::trim(thought));
    return base::trim(trimmed.substr(end + kEnd.size()));
}

}  // namespace

Result<SourceMessage> read_openwebui_message(std::string_view key, const json::value& value, LeftOut& left_out) {
    const json::object* object = value.if_object();
    const auto role = object == nullptr ? std::nullopt : role_of(base::find_string(*object, "role"));
    if (!role) {
        return no_message();
    }
    SourceMessage message;
    message.id = key;
    message.parent = read_id(base::find(*object, "parentId"));
    message.created_at = read_time(base::find(*object, "timestamp"));
    const json::value* content = base::find(*object, "content");
    std::string text;
    if (content != nullptr && content->is_string()) {
        text = view(content->get_string());
    } else if (content != nullptr && content->is_array()) {
        for (const json::value& part : content->get_array()) {
            if (const json::object* members = part.if_object()) {
                append_paragraph(text, base::find_string(*members, "text"));
            }
        }
    }
    if (const json::array* files = find_array(*object, "files")) {
        left_out.images += static_cast<std::int64_t>(files->size());
    }
    if (*role == ItemRole::assistant) {
        const std::string_view rest = take_openwebui_reasoning(message, text);
        add_text(message, *role, rest);
        message.model = base::utf8_prefix(base::find_string(*object, "model"), kModelBytesMax);
    } else {
        add_text(message, *role == ItemRole::tool ? ItemRole::assistant : *role, text);
    }
    return message;
}

}  // namespace confab::transfer
