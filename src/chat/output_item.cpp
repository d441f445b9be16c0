#include "chat/output_item.hpp"

#include "llm/token_estimate.hpp"

namespace confab::chat {

namespace {

using base::ItemType;
using base::JsonWriter;
using store::BodyFormat;

// The content of a message, as it is stored and shown.
void render_parts(JsonWriter& out, const std::vector<OutputPart>& parts) {
    out.begin_array();
    for (const OutputPart& part : parts) {
        render_part(out, part.kind, part.text);
    }
    out.end_array();
}

// The members of a function call besides id, type and status. What may be long comes last: a page may cut it off.
void render_call(JsonWriter& out, const OutputItem& item, Shown shown) {
    out.member("call_id", item.call_id);
    out.member("name", item.name);
    const bool has_arguments = shown == Shown::whole && !item.parts.empty();
    out.member("arguments", has_arguments ? std::string_view(item.parts.front().text) : std::string_view());
    if (shown == Shown::whole && !item.extra_content.empty()) {
        out.raw_member("extra_content", item.extra_content);
    }
}

void read_message(OutputItem& item, const store::Item& stored) {
    if (stored.format == BodyFormat::text) {
        item.parts.push_back({PartKind::text, stored.body});
        return;
    }
    const auto parsed = base::parse_json(stored.body);
    const base::json::array* parts = parsed ? parsed->if_array() : nullptr;
    if (parts == nullptr) {
        return;
    }
    for (const base::json::value& value : *parts) {
        if (const base::json::object* part = value.if_object()) {
            const bool refusal = base::find_string(*part, "type") == "refusal";
            const std::string_view text = base::find_string(*part, refusal ? "refusal" : "text");
            item.parts.push_back({refusal ? PartKind::refusal : PartKind::text, std::string(text)});
        }
    }
}

void read_call(OutputItem& item, const store::Item& stored) {
    const auto parsed = base::parse_json(stored.body);
    const base::json::object* call = parsed ? parsed->if_object() : nullptr;
    if (call == nullptr) {
        return;
    }
    item.call_id = base::find_string(*call, "call_id");
    item.name = base::find_string(*call, "name");
    if (const base::json::value* extra = base::find(*call, "extra_content")) {
        item.extra_content = base::to_string(*extra);
    }
    item.parts.push_back({PartKind::arguments, std::string(base::find_string(*call, "arguments"))});
}

void write_message(store::NewItem& stored, const OutputItem& item) {
    if (item.parts.size() == 1 && item.parts.front().kind == PartKind::text) {
        stored.body = item.parts.front().text;
        stored.tokens = llm::estimate_tokens(stored.body) + llm::kMessageTokens;
        return;
    }
    stored.format = BodyFormat::json;
    JsonWriter out(stored.body);
    render_parts(out, item.parts);
    stored.tokens = llm::kMessageTokens;
    for (const OutputPart& part : item.parts) {
        stored.tokens += llm::estimate_tokens(part.text);
    }
}

void write_call(store::NewItem& stored, const OutputItem& item) {
    stored.format = BodyFormat::json;
    JsonWriter out(stored.body);
    out.begin_object();
    render_call(out, item, Shown::whole);
    out.end_object();
    stored.tokens = llm::estimate_tokens(item.name) + llm::kMessageTokens;
    for (const OutputPart& part : item.parts) {
        stored.tokens += llm::estimate_tokens(part.text);
    }
}

}  // namespace

OutputItem output_item(const EventLog& log, std::size_t output, store::ItemStatus open_status) {
    const LoggedItem& logged = log.items()[output];
    OutputItem item;
    item.id = logged.id;
    item.status = logged.is_open() ? open_status : store::ItemStatus::completed;
    item.call_id = logged.call_id;
    item.name = logged.name;
    item.extra_content = logged.extra_content;
    for (std::size_t i = 0; i < logged.parts.size(); ++i) {
        item.parts.push_back({logged.parts[i], log.text_of(output, i)});
    }
    return item;
}

OutputItem output_item(const store::Item& stored) {
    OutputItem item;
    item.id = stored.id;
    item.status = stored.status;
    switch (stored.id.type()) {
        case ItemType::message: read_message(item, stored); break;
        case ItemType::reasoning: item.parts.push_back({PartKind::summary, stored.body}); break;
        case ItemType::function_call: read_call(item, stored); break;
        default: break;
    }
    return item;
}

// A model is not sent its reasoning again, so that costs no tokens of the next prompt.
store::NewItem stored_item(const OutputItem& item) {
    store::NewItem stored;
    stored.id = item.id;
    stored.role = store::ItemRole::assistant;
    stored.status = item.status;
    switch (item.id.type()) {
        case ItemType::message: write_message(stored, item); break;
        case ItemType::function_call: write_call(stored, item); break;
        default:
            if (!item.parts.empty()) {
                stored.body = item.parts.front().text;
            }
            break;
    }
    return stored;
}

void render_part(JsonWriter& out, PartKind kind, std::string_view text) {
    out.begin_object();
    switch (kind) {
        case PartKind::text:
            out.member("type", "output_text");
            out.member("text", text);
            out.raw_member("annotations", "[]");
            out.raw_member("logprobs", "[]");
            break;
        case PartKind::refusal:
            out.member("type", "refusal");
            out.member("refusal", text);
            break;
        case PartKind::summary:
        case PartKind::arguments:
            out.member("type", "summary_text");
            out.member("text", text);
            break;
    }
    out.end_object();
}

void render_output_item(JsonWriter& out, const OutputItem& item, Shown shown) {
    static const std::vector<OutputPart> kNone;
    const auto& parts = shown == Shown::whole ? item.parts : kNone;
    const std::string_view status = to_string(shown == Shown::whole ? item.status : store::ItemStatus::in_progress);
    out.begin_object();
    out.member("id", item.id.str());
    switch (item.id.type()) {
        case ItemType::reasoning:
            out.member("type", "reasoning");
            out.member("status", status);
            out.key("summary");
            render_parts(out, parts);
            break;
        case ItemType::function_call:
            out.member("type", "function_call");
            out.member("status", status);
            render_call(out, item, shown);
            break;
        default:
            out.member("type", "message");
            out.member("status", status);
            out.member("role", "assistant");
            out.key("content");
            render_parts(out, parts);
            break;
    }
    out.end_object();
}

std::string_view to_string(store::ItemStatus status) {
    switch (status) {
        case store::ItemStatus::completed: return "completed";
        case store::ItemStatus::incomplete: return "incomplete";
        case store::ItemStatus::in_progress: return "in_progress";
    }
    return "completed";
}

}  // namespace confab::chat
