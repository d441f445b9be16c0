#include "chat/event_json.hpp"

#include <cmath>

namespace confab::chat {

namespace {

using base::JsonWriter;
using store::RunStatus;

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
        case EventKind::refusal_added: return "response.content_part.added";
        case EventKind::refusal_delta: return "response.refusal.delta";
        case EventKind::refusal_done: return "response.refusal.done";
        case EventKind::summary_added: return "response.reasoning_summary_part.added";
        case EventKind::summary_delta: return "response.reasoning_summary_text.delta";
        case EventKind::summary_done: return "response.reasoning_summary_text.done";
        case EventKind::summary_part_done: return "response.reasoning_summary_part.done";
        case EventKind::arguments_delta: return "response.function_call_arguments.delta";
        case EventKind::arguments_done: return "response.function_call_arguments.done";
        case EventKind::finished: break;
    }
    switch (status) {
        case RunStatus::completed: return "response.completed";
        case RunStatus::failed: return "response.failed";
        default: return "response.incomplete";  // there is no response.cancelled in any schema
    }
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

// Which members a part's events have, by what the part is.
std::string_view index_name(EventKind kind) {
    switch (kind) {
        case EventKind::summary_added:
        case EventKind::summary_delta:
        case EventKind::summary_done:
        case EventKind::summary_part_done: return "summary_index";
        case EventKind::arguments_delta:
        case EventKind::arguments_done: return {};
        default: return "content_index";
    }
}

PartKind part_kind(EventKind kind) {
    switch (kind) {
        case EventKind::refusal_added: return PartKind::refusal;
        case EventKind::summary_added: return PartKind::summary;
        default: return PartKind::text;
    }
}

void append_number(std::string& out, std::int64_t number) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out.append(digits, end);
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
    for (const OutputItem& item : end.output) {
        render_output_item(json, item, Shown::whole);
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
    render_measures(json, end.usage, end.timing);
    const std::string_view echo = facts.request;
    if (echo.size() > 2) {
        json.raw(echo.substr(1, echo.size() - 2));  // the members of the echoed object
    }
    json.end_object();
}

void render_measures(JsonWriter& out, std::string_view usage, const std::optional<store::RunTiming>& timing) {
    out.raw_member("usage", usage.empty() ? std::string_view("null") : usage);
    out.key("timing");
    if (!timing) {
        out.value(nullptr);
        return;
    }
    out.begin_object();
    out.member("first_token_ms", timing->first_token_ms);
    out.member("duration_ms", timing->duration_ms);
    out.key("tokens_per_second");
    const std::int64_t ms = timing->duration_ms - timing->first_token_ms;
    if (timing->output_tokens && ms > 0) {
        const double rate = static_cast<double>(*timing->output_tokens) * 1000 / static_cast<double>(ms);
        out.value(std::round(rate * 100) / 100);
    } else {
        out.value(nullptr);
    }
    out.end_object();
}

// ---- events ----

EventRenderer::EventRenderer(const ResponseFacts& facts, const ResponseEnd& end) : facts_(facts), end_(end) {
    for (std::size_t i = 0; i < end.output.size(); ++i) {
        places_.push_back(render_place(end.output[i].id, i));
    }
}

void EventRenderer::render(std::string& out, Sequence sequence, const Event& event) const {
    if (event.kind == EventKind::text_delta) {
        render_text_delta(out, sequence, event);
        return;
    }
    const std::string_view type = event_type(event.kind, end_.status);
    out.append("event: ").append(type).append("\ndata: ");
    JsonWriter json(out);
    json.begin_object();
    json.member("type", type);
    json.member("sequence_number", sequence);
    render_body(json, event);
    json.end_object();
    out += "\n\n";
}

void EventRenderer::render_body(JsonWriter& out, const Event& event) const {
    switch (event.kind) {
        case EventKind::created:
        case EventKind::queued:
        case EventKind::in_progress:
        case EventKind::finished: render_snapshot(out, event.kind); break;
        case EventKind::item_added:
        case EventKind::item_done:
            out.member("output_index", unsigned{event.output});
            out.key("item");
            if (event.kind == EventKind::item_added) {
                render_output_item(out, announced(event.output), Shown::announced);
            } else {
                render_output_item(out, item(event.output), Shown::whole);
            }
            break;
        case EventKind::refusal_delta:
        case EventKind::summary_delta:
        case EventKind::arguments_delta: render_delta(out, event); break;
        case EventKind::error: render_error(out, end_); break;
        default: render_part_event(out, event); break;
    }
}

// What comes once for every token: its constant parts are written as they stand.
void EventRenderer::render_text_delta(std::string& out, Sequence sequence, const Event& event) const {
    out +=
        "event: response.output_text.delta\n"
        "data: {\"type\":\"response.output_text.delta\",\"sequence_number\":";
    append_number(out, sequence);
    if (const std::string_view item = place_of(event); !item.empty()) {
        out.append(",").append(item);
    }
    out += ",\"content_index\":";
    append_number(out, event.content);
    out += ",\"delta\":\"";
    base::append_escaped(out, event.payload);
    out += "\",\"logprobs\":[]}\n\n";
}

void EventRenderer::render_delta(JsonWriter& out, const Event& event) const {
    place(out, event);
    out.member("delta", event.payload);
}

void EventRenderer::render_part_event(JsonWriter& out, const Event& event) const {
    place(out, event);
    switch (event.kind) {
        case EventKind::part_added:
        case EventKind::refusal_added:
        case EventKind::summary_added:
            out.key("part");
            render_part(out, part_kind(event.kind), {});
            return;
        default: break;
    }
    const OutputItem whole = item(event.output);
    const bool known = event.content < whole.parts.size();
    const OutputPart part = known ? whole.parts[event.content] : OutputPart();
    switch (event.kind) {
        case EventKind::text_done:
            out.member("text", part.text);
            out.raw_member("logprobs", "[]");
            break;
        case EventKind::summary_done: out.member("text", part.text); break;
        case EventKind::refusal_done: out.member("refusal", part.text); break;
        case EventKind::arguments_done:
            out.member("name", whole.name);
            out.member("arguments", part.text);
            break;
        default:
            out.key("part");
            render_part(out, part.kind, part.text);
            break;
    }
}

// A snapshot of the response as it was at this event.
void EventRenderer::render_snapshot(JsonWriter& out, EventKind kind) const {
    out.key("response");
    std::string rendered;
    if (kind == EventKind::finished) {
        render_response(rendered, facts_, end_);
    } else {
        ResponseEnd now;
        const bool waiting = facts_.background && kind != EventKind::in_progress;
        now.status = waiting ? RunStatus::queued : RunStatus::in_progress;
        render_response(rendered, facts_, now);
    }
    out.raw(rendered);
}

// The constant members of the event's item; empty when the item is not known.
std::string_view EventRenderer::place_of(const Event& event) const {
    if (log_ != nullptr) {
        return log_->items()[event.output].place;
    }
    return event.output < places_.size() ? std::string_view(places_[event.output]) : std::string_view();
}

void EventRenderer::place(JsonWriter& out, const Event& event) const {
    if (const std::string_view item = place_of(event); !item.empty()) {
        out.raw(item);
    }
    if (const std::string_view name = index_name(event.kind); !name.empty()) {
        out.member(name, unsigned{event.content});
    }
}

OutputItem EventRenderer::announced(std::size_t output) const {
    OutputItem item;
    const auto take = [&item](const auto& from) {
        item.id = from.id;
        item.call_id = from.call_id;
        item.name = from.name;
    };
    if (log_ != nullptr) {
        take(log_->items()[output]);
    } else if (output < end_.output.size()) {
        take(end_.output[output]);
    }
    return item;
}

// What an item ended up as; while the response is under way, what its log has of it.
OutputItem EventRenderer::item(std::size_t output) const {
    if (output < end_.output.size()) {
        return end_.output[output];
    }
    if (log_ != nullptr) {
        return output_item(*log_, output, store::ItemStatus::in_progress);
    }
    return {};
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
    end.timing = run.timing;
    for (const store::Item& item : run.output) {
        end.output.push_back(output_item(item));
    }
    return end;
}

}  // namespace confab::chat
