#include "chat/event_json.hpp"

#include "base/json.hpp"

namespace confab::chat {

namespace {

using base::JsonWriter;
using store::RunStatus;

constexpr std::string_view kEmptyLists = R"(,"annotations":[],"logprobs":[])";

void render_text_part(JsonWriter& out, std::string& text_out, std::string_view text) {
    out.begin_object();
    out.member("type", "output_text");
    out.member("text", text);
    text_out += kEmptyLists;
    out.end_object();
}

store::ItemStatus item_status(RunStatus status) {
    return status == RunStatus::completed ? store::ItemStatus::completed : store::ItemStatus::incomplete;
}

// The answer's message; `text` absent: its content is still empty.
void render_message(
    std::string& buffer,
    JsonWriter& out,
    store::ItemId id,
    store::ItemStatus status,
    const std::optional<std::string>& text
) {
    out.begin_object();
    out.member("id", id.str());
    out.member("type", "message");
    out.member("status", to_string(status));
    out.member("role", "assistant");
    out.key("content");
    out.begin_array();
    if (text) {
        render_text_part(out, buffer, *text);
    }
    out.end_array();
    out.end_object();
}

std::string_view event_type(EventKind kind, RunStatus status) {
    switch (kind) {
        case EventKind::created: return "response.created";
        case EventKind::queued: return "response.queued";
        case EventKind::in_progress: return "response.in_progress";
        case EventKind::item_added: return "response.output_item.added";
        case EventKind::part_added: return "response.content_part.added";
        case EventKind::text_delta: return "response.output_text.delta";
        case EventKind::text_done: return "response.output_text.done";
        case EventKind::part_done: return "response.content_part.done";
        case EventKind::item_done: return "response.output_item.done";
        case EventKind::error: return "error";
        case EventKind::finished: break;
    }
    switch (status) {
        case RunStatus::completed: return "response.completed";
        case RunStatus::failed: return "response.failed";
        default: return "response.incomplete";  // there is no response.cancelled in any schema
    }
}

// A snapshot of the response as it was at this event.
void render_snapshot(JsonWriter& out, const ResponseFacts& facts, const ResponseEnd& end, EventKind kind) {
    out.key("response");
    std::string rendered;
    if (kind == EventKind::finished) {
        render_response(rendered, facts, end);
    } else {
        ResponseEnd now;
        const bool waiting = facts.background && kind != EventKind::in_progress;
        now.status = waiting ? RunStatus::queued : RunStatus::in_progress;
        render_response(rendered, facts, now);
    }
    out.raw(rendered);
}

void render_place(JsonWriter& out, const ResponseFacts& facts) {
    out.member("item_id", facts.item.str());
    out.member("output_index", 0);
    out.member("content_index", 0);
}

void render_error(JsonWriter& out, const ResponseEnd& end) {
    const auto members = [&] {
        out.member("code", end.error_code);
        out.member("message", end.error_message);
        out.member("param", nullptr);
    };
    members();  // the published schema is flat; the real API nests: clients take either
    out.key("error");
    out.begin_object();
    out.member("type", "server_error");
    members();
    out.end_object();
}

void render_event_body(
    std::string& buffer,
    JsonWriter& out,
    const ResponseFacts& facts,
    const ResponseEnd& end,
    const Event& event
) {
    const std::string_view whole = end.text ? std::string_view(*end.text) : std::string_view();
    switch (event.kind) {
        case EventKind::created:
        case EventKind::queued:
        case EventKind::in_progress:
        case EventKind::finished: render_snapshot(out, facts, end, event.kind); break;
        case EventKind::item_added:
            out.member("output_index", 0);
            out.key("item");
            render_message(buffer, out, facts.item, store::ItemStatus::in_progress, std::nullopt);
            break;
        case EventKind::part_added:
        case EventKind::part_done:
            render_place(out, facts);
            out.key("part");
            render_text_part(out, buffer, event.kind == EventKind::part_done ? whole : std::string_view());
            break;
        case EventKind::text_delta:
            render_place(out, facts);
            out.member("delta", event.payload);
            out.raw_member("logprobs", "[]");
            break;
        case EventKind::text_done:
            render_place(out, facts);
            out.member("text", whole);
            out.raw_member("logprobs", "[]");
            break;
        case EventKind::item_done:
            out.member("output_index", 0);
            out.key("item");
            render_message(buffer, out, facts.item, item_status(end.status), end.text);
            break;
        case EventKind::error: render_error(out, end); break;
    }
}

void render_content(std::string& buffer, JsonWriter& out, const store::Item& item) {
    out.key("content");
    if (item.format == store::BodyFormat::json) {
        out.raw(item.truncated || item.body.empty() ? std::string_view("[]") : std::string_view(item.body));
        return;
    }
    out.begin_array();
    if (item.role == store::ItemRole::assistant) {
        render_text_part(out, buffer, item.body);
    } else {
        out.begin_object();
        out.member("type", "input_text");
        out.member("text", item.body);
        out.end_object();
    }
    out.end_array();
}

}  // namespace

std::string_view to_string(RunStatus status) {
    switch (status) {
        case RunStatus::queued: return "queued";
        case RunStatus::in_progress: return "in_progress";
        case RunStatus::completed: return "completed";
        case RunStatus::incomplete: return "incomplete";
        case RunStatus::failed: return "failed";
        case RunStatus::cancelled: return "cancelled";
    }
    return "failed";
}

std::string_view to_string(store::ItemStatus status) {
    switch (status) {
        case store::ItemStatus::completed: return "completed";
        case store::ItemStatus::incomplete: return "incomplete";
        case store::ItemStatus::in_progress: return "in_progress";
    }
    return "completed";
}

std::string_view to_string(store::ItemRole role) {
    switch (role) {
        case store::ItemRole::user: return "user";
        case store::ItemRole::assistant: return "assistant";
        case store::ItemRole::system: return "system";
        case store::ItemRole::developer: return "developer";
    }
    return "user";
}

void render_response(std::string& out, const ResponseFacts& facts, const ResponseEnd& end) {
    JsonWriter json(out);
    json.begin_object();
    json.member("id", facts.id.str());
    json.member("object", "response");
    json.member("created_at", facts.created_at);
    json.key("completed_at");
    if (end.status == RunStatus::completed) {
        json.value(end.completed_at);
    } else {
        json.value(nullptr);
    }
    json.member("status", to_string(end.status));
    json.member("background", facts.background);
    json.member("store", facts.stored);
    json.key("error");
    if (end.status == RunStatus::failed) {
        json.begin_object();
        json.member("code", end.error_code);
        json.member("message", end.error_message);
        json.end_object();
    } else {
        json.value(nullptr);
    }
    json.key("incomplete_details");
    if (end.status == RunStatus::incomplete) {
        json.begin_object();
        json.member("reason", end.incomplete_reason);
        json.end_object();
    } else {
        json.value(nullptr);
    }
    json.member("model", facts.model);
    json.key("output");
    json.begin_array();
    if (end.text) {
        render_message(out, json, facts.item, item_status(end.status), end.text);
    }
    json.end_array();
    json.member_or_null(
        "previous_response_id", facts.previous_response ? facts.previous_response->str() : std::string()
    );
    json.key("conversation");
    if (facts.conversation) {
        json.begin_object();
        json.member("id", facts.conversation->str());
        json.end_object();
    } else {
        json.value(nullptr);
    }
    json.raw_member("usage", end.usage.empty() ? std::string_view("null") : std::string_view(end.usage));
    const std::string_view echo = facts.request;
    if (echo.size() > 2) {
        json.raw(echo.substr(1, echo.size() - 2));  // the members of the echoed object
    }
    json.end_object();
}

void render_event(
    std::string& out,
    const ResponseFacts& facts,
    const ResponseEnd& end,
    Sequence sequence,
    const Event& event
) {
    const std::string_view type = event_type(event.kind, end.status);
    out.append("event: ").append(type).append("\ndata: ");
    JsonWriter json(out);
    json.begin_object();
    json.member("type", type);
    json.member("sequence_number", sequence);
    render_event_body(out, json, facts, end, event);
    json.end_object();
    out += "\n\n";
}

void render_item(std::string& out, const store::Item& item) {
    JsonWriter json(out);
    json.begin_object();
    json.member("id", item.id.str());
    json.member("type", "message");
    json.member("status", to_string(item.status));
    json.member("role", to_string(item.role));
    render_content(out, json, item);
    json.member("created_at", item.created_at);
    if (item.response) {
        json.member("response_id", item.response->str());
    }
    if (!item.model.empty()) {
        json.member("model", item.model);
    }
    if (item.truncated) {
        json.member("truncated", true);
        json.member("bytes", item.bytes);
    }
    json.end_object();
}

ResponseFacts facts_of(const store::Run& run) {
    ResponseFacts facts;
    facts.id = run.id;
    facts.created_at = run.created_at;
    facts.model = run.model;
    facts.request = run.request;
    facts.background = run.background;
    facts.stored = run.stored;
    facts.conversation = run.conversation;
    facts.previous_response = run.previous_response;
    if (!run.output.empty()) {
        facts.item = run.output.front().id;
    }
    return facts;
}

ResponseEnd end_of(const store::Run& run) {
    ResponseEnd end;
    end.status = run.status;
    end.completed_at = run.completed_at.value_or(0);
    end.error_code = run.error_code;
    end.error_message = run.error_message;
    end.incomplete_reason = run.incomplete_reason;
    end.usage = run.usage;
    if (!run.output.empty()) {
        end.text = run.output.front().body;
    }
    return end;
}

}  // namespace confab::chat
