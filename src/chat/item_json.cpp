#include "chat/item_json.hpp"

#include "chat/event_json.hpp"
#include "chat/output_item.hpp"

namespace confab::chat {

namespace {

using base::ItemType;
using base::JsonWriter;
using store::BodyFormat;
using store::Item;

void render_content(JsonWriter& out, const Item& item) {
    out.key("content");
    if (item.format == BodyFormat::json) {
        out.raw(item.truncated || item.body.empty() ? std::string_view("[]") : std::string_view(item.body));
        return;
    }
    out.begin_array();
    if (item.role == store::ItemRole::assistant) {
        render_part(out, PartKind::text, item.body);
    } else {
        out.begin_object();
        out.member("type", "input_text");
        out.member("text", item.body);
        out.end_object();
    }
    out.end_array();
}

void render_message(JsonWriter& out, const Item& item) {
    out.member("type", "message");
    out.member("status", to_string(item.status));
    out.member("role", to_string(item.role));
    render_content(out, item);
}

// The members of a body that is an object. Of a truncated one those before the member that may be long, which is shown
// empty: before it there are only texts, and within a text no `,"name":` can stand.
void render_members(JsonWriter& out, const Item& item, std::string_view long_name) {
    std::string_view members = item.body;
    if (item.truncated) {
        const auto cut = members.find(",\"" + std::string(long_name) + "\":");
        members = cut == std::string_view::npos ? std::string_view() : members.substr(0, cut);
    } else if (!members.empty()) {
        members.remove_suffix(1);
    }
    if (members.size() > 1) {
        out.raw(members.substr(1));
    }
    if (item.truncated) {
        out.member(long_name, "");
    }
}

void render_reasoning(JsonWriter& out, const Item& item) {
    out.member("type", "reasoning");
    out.member("status", to_string(item.status));
    if (item.format == BodyFormat::text) {
        out.key("summary");
        out.begin_array();
        render_part(out, PartKind::summary, item.body);
        out.end_array();
    } else if (item.truncated) {
        out.raw_member("summary", "[]");
    } else {
        render_members(out, item, "summary");
    }
}

// The body begins with the type, which is one of a known list.
void render_other(JsonWriter& out, const Item& item) {
    constexpr std::string_view kBegin = "{\"type\":\"";
    if (!item.truncated) {
        render_members(out, item, {});
    } else if (item.body.starts_with(kBegin)) {
        const std::string_view rest = std::string_view(item.body).substr(kBegin.size());
        out.member("type", rest.substr(0, rest.find('"')));
    }
}

void render_by_type(JsonWriter& out, const Item& item) {
    switch (item.id.type()) {
        case ItemType::message: render_message(out, item); break;
        case ItemType::reasoning: render_reasoning(out, item); break;
        case ItemType::function_call:
            out.member("type", "function_call");
            out.member("status", to_string(item.status));
            render_members(out, item, "arguments");
            break;
        case ItemType::function_call_output:
            out.member("type", "function_call_output");
            out.member("status", to_string(item.status));
            render_members(out, item, "output");
            break;
        case ItemType::other: render_other(out, item); break;
    }
}

void render_siblings(JsonWriter& out, const store::Siblings& siblings) {
    out.key("siblings");
    out.begin_object();
    out.member("index", siblings.index);
    out.member("count", siblings.count);
    out.member_or_null("previous_id", siblings.previous ? siblings.previous->str() : std::string());
    out.member_or_null("next_id", siblings.next ? siblings.next->str() : std::string());
    out.end_object();
}

}  // namespace

std::string_view to_string(store::ItemRole role) {
    switch (role) {
        case store::ItemRole::user: return "user";
        case store::ItemRole::assistant: return "assistant";
        case store::ItemRole::system: return "system";
        case store::ItemRole::developer: return "developer";
        case store::ItemRole::tool: return "tool";
    }
    return "user";
}

std::string_view to_string(ItemType type) {
    switch (type) {
        case ItemType::message: return "message";
        case ItemType::reasoning: return "reasoning";
        case ItemType::function_call: return "function_call";
        case ItemType::function_call_output: return "function_call_output";
        case ItemType::other: return "item";
    }
    return "item";
}

void render_item(std::string& out, const Item& item) {
    JsonWriter json(out);
    json.begin_object();
    json.member("id", item.id.str());
    render_by_type(json, item);
    json.member("created_at", item.created_at);
    if (item.position > 0) {
        json.member("position", item.position);
        json.member_or_null("parent_id", item.parent ? item.parent->str() : std::string());
    }
    if (item.siblings) {
        render_siblings(json, *item.siblings);
    }
    if (item.response) {
        json.member("response_id", item.response->str());
    }
    if (!item.model.empty()) {
        json.member("model", item.model);
    }
    if (item.response && item.id.type() == ItemType::message) {
        render_measures(json, item.usage, item.timing);
    }
    if (item.truncated) {
        json.member("truncated", true);
        json.member("bytes", item.bytes);
    }
    json.end_object();
}

}  // namespace confab::chat
