#include "transfer/markdown.hpp"

#include <algorithm>
#include <ctime>

#include "base/json.hpp"

namespace confab::transfer {

namespace {

using base::ItemType;
using base::json::object;
using store::Item;

std::string date(store::UnixSeconds time) {
    const std::time_t value = time;
    std::tm parts{};
    gmtime_r(&value, &parts);
    char text[40];
    return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts));
}

// For headings: a title stays on its line.
std::string one_line(std::string_view text) {
    std::string line(text);
    std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
    return line;
}

std::string_view name_of(store::ItemRole role) {
    switch (role) {
        case store::ItemRole::user: return "User";
        case store::ItemRole::assistant: return "Assistant";
        case store::ItemRole::system: return "System";
        case store::ItemRole::developer: return "Developer";
        case store::ItemRole::tool: return "Tool";
    }
    return "User";
}

void append_heading(std::string& out, std::string_view who, const Item& item) {
    out.append("\n## ").append(who);
    if (!item.model.empty()) {
        out.append(" (").append(one_line(item.model)).append(")");
    }
    out.append(" · ").append(date(item.created_at));
    if (item.status == store::ItemStatus::incomplete) {
        out += " · incomplete";
    }
    out += "\n\n";
}

// In a fence that is longer than any in the text.
void append_code(std::string& out, std::string_view text) {
    std::size_t longest = 2;
    for (std::size_t i = 0, run = 0; i < text.size(); ++i) {
        run = text[i] == '`' ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    const std::string fence(longest + 1, '`');
    out.append(fence).append("\n").append(text).append("\n").append(fence).append("\n");
}

void append_text(std::string& out, std::string_view text) {
    out.append(text).append("\n");
}

// The parts of a message, a reasoning or a tool's output.
void append_parts(std::string& out, const base::json::array& parts) {
    for (const auto& value : parts) {
        if (!value.is_object()) {
            continue;
        }
        const object& part = value.get_object();
        const std::string_view type = base::find_string(part, "type");
        if (type == "input_image") {
            const std::string_view file = base::find_string(part, "file_id");
            const std::string_view url = base::find_string(part, "image_url");
            out.append("*[Image: ").append(file.empty() ? one_line(url) : std::string(file)).append("]*\n");
        } else if (type == "refusal") {
            append_text(out, base::find_string(part, "refusal"));
        } else {
            append_text(out, base::find_string(part, "text"));
        }
    }
}

void append_json(std::string& out, const Item& item) {
    const auto body = base::parse_json(item.body);
    if (!body) {
        append_code(out, item.body);
        return;
    }
    if (body->is_array()) {
        append_parts(out, body->get_array());
        return;
    }
    if (!body->is_object()) {
        return;
    }
    const object& members = body->get_object();
    if (item.id.type() == ItemType::function_call) {
        out.append("`").append(one_line(base::find_string(members, "name"))).append("`\n\n");
        append_code(out, base::find_string(members, "arguments"));
        return;
    }
    for (const char* name : {"summary", "content", "output"}) {
        const auto* value = base::find(members, name);
        if (value != nullptr && value->is_array()) {
            append_parts(out, value->get_array());
        } else if (value != nullptr && value->is_string()) {
            append_code(out, base::find_string(members, name));
        }
    }
}

}  // namespace

void append_markdown_head(std::string& out, const store::Conversation& conversation) {
    out.append("# ").append(conversation.title.empty() ? "Conversation" : one_line(conversation.title)).append("\n\n");
    out.append("Begun ").append(date(conversation.created_at));
    if (!conversation.model.empty()) {
        out.append(" · ").append(one_line(conversation.model));
    }
    out += "\n";
    if (!conversation.instructions.empty()) {
        out.append("\n## Instructions\n\n").append(conversation.instructions).append("\n");
    }
}

void append_markdown(std::string& out, const Item& item) {
    switch (item.id.type()) {
        case ItemType::message: append_heading(out, name_of(item.role), item); break;
        case ItemType::reasoning: append_heading(out, "Thoughts", item); break;
        case ItemType::function_call: append_heading(out, "Tool call", item); break;
        case ItemType::function_call_output: append_heading(out, "Tool output", item); break;
        case ItemType::other: append_heading(out, "Other", item); break;
    }
    if (item.format == store::BodyFormat::text) {
        append_text(out, item.body);
    } else {
        append_json(out, item);
    }
}

}  // namespace confab::transfer
