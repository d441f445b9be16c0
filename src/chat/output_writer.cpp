#include "chat/output_writer.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace confab::chat {

namespace {

using base::ItemType;

EventKind added_kind(PartKind kind) {
    switch (kind) {
        case PartKind::refusal: return EventKind::refusal_added;
        case PartKind::summary: return EventKind::summary_added;
        default: return EventKind::part_added;
    }
}

EventKind delta_kind(PartKind kind) {
    switch (kind) {
        case PartKind::text: return EventKind::text_delta;
        case PartKind::refusal: return EventKind::refusal_delta;
        case PartKind::summary: return EventKind::summary_delta;
        case PartKind::arguments: return EventKind::arguments_delta;
    }
    return EventKind::text_delta;
}

ItemType type_of(PartKind kind) {
    return kind == PartKind::summary ? ItemType::reasoning : ItemType::message;
}

Event place(EventKind kind, std::size_t output, std::size_t content, std::string_view payload) {
    Event event;
    event.kind = kind;
    event.output = static_cast<std::uint8_t>(output);
    event.content = static_cast<std::uint8_t>(content);
    event.payload = payload;
    return event;
}

}  // namespace

void OutputWriter::append(EventKind kind, std::size_t output, std::size_t content, std::string_view payload) {
    log_.append(place(kind, output, content, payload));
}

// ---- text, refusals, reasoning ----

void OutputWriter::say(PartKind kind, std::string_view piece) {
    if (overflowed_) {
        return;
    }
    if (current_ == kNone || current_part_ != kind) {
        if (current_ == kNone && !calls_.empty() && base::trim(piece).empty()) {
            return;  // some servers send line breaks between calls
        }
        if (!open_part(kind)) {
            return;
        }
    }
    append(delta_kind(kind), current_, log_.items()[current_].parts.size() - 1, piece);
}

// Opens a part of this kind in the open item when it fits there, else in a new one. False when there are too many.
bool OutputWriter::open_part(PartKind kind) {
    close_whole_calls();
    if (current_ != kNone && log_.items()[current_].id.type() != type_of(kind)) {
        close_current();
    }
    if (current_ != kNone) {
        log_.close_part(current_);
    } else {
        current_ = add_item(base::ItemId::make(type_of(kind)));
    }
    if (current_ == kNone || log_.items()[current_].parts.size() == kOutputPartsMax) {
        overflowed_ = true;
        return false;
    }
    current_part_ = kind;
    append(added_kind(kind), current_, log_.items()[current_].parts.size());
    return true;
}

// kNone when there are too many.
std::size_t OutputWriter::add_item(const base::ItemId& id, std::string_view call_id, std::string_view name) {
    const std::size_t output = log_.items().size();
    if (output == kOutputItemsMax) {
        overflowed_ = true;
        return kNone;
    }
    append(EventKind::item_added, output, 0, announcement(id, call_id, name));
    return output;
}

void OutputWriter::close_current() {
    if (current_ != kNone) {
        log_.close_item(current_);
        current_ = kNone;
    }
}

// ---- function calls ----

void OutputWriter::tool_call(const llm::ToolCallDelta& delta) {
    if (overflowed_) {
        return;
    }
    Call& call = call_of(delta);
    call.arguments.scan(delta.arguments);
    if (!delta.extra_content.empty()) {
        call.extra = delta.extra_content;
    }
    if (call.output == kNone && delta.name.empty()) {
        call.held += delta.arguments;
        bytes_held_ += delta.arguments.size();
        return;
    }
    if (call.output == kNone) {
        announce(call, delta.name);
    }
    if (call.output == kNone || !log_.items()[call.output].is_open()) {
        return;  // too many; or nothing but blanks after whole arguments
    }
    if (!delta.extra_content.empty()) {
        log_.set_extra_content(call.output, call.extra);
    }
    if (!delta.arguments.empty()) {
        append(EventKind::arguments_delta, call.output, 0, delta.arguments);
    }
}

OutputWriter::Call& OutputWriter::call_of(const llm::ToolCallDelta& delta) {
    const auto known = std::ranges::find(calls_, delta.slot, &Call::slot);
    if (known != calls_.end()) {
        return *known;
    }
    close_current();
    close_whole_calls();
    Call call;
    call.slot = delta.slot;
    call.id = fresh_call_id(delta.id);
    calls_.push_back(std::move(call));
    return calls_.back();
}

void OutputWriter::announce(Call& call, std::string_view name) {
    call.output = add_item(base::ItemId::make(ItemType::function_call), call.id, name);
    if (call.output == kNone) {
        return;
    }
    if (!call.extra.empty()) {
        log_.set_extra_content(call.output, call.extra);
    }
    if (!call.held.empty()) {
        append(EventKind::arguments_delta, call.output, 0, call.held);
        bytes_held_ -= call.held.size();
        call.held = std::string();
    }
}

void OutputWriter::close_whole_calls() {
    for (const Call& call : calls_) {
        if (call.output != kNone && call.arguments.complete()) {
            log_.close_item(call.output);
        }
    }
}

// Clients tell the calls of a response apart by their ids, and send them back.
std::string OutputWriter::fresh_call_id(std::string_view id) const {
    const bool taken = std::ranges::any_of(calls_, [id](const Call& call) { return call.id == id; });
    if (taken || id.empty() || id.size() > kCallIdBytesMax) {
        return "call_" + base::to_hex(base::make_uuid_v7());
    }
    return std::string(id);
}

void OutputWriter::finish() {
    for (Call& call : calls_) {
        if (call.output == kNone && !overflowed_) {
            announce(call, {});
        }
    }
}

// ---- beginning and end ----

void append_opening_events(EventLog& log, bool background) {
    log.append(EventKind::created);
    if (background) {
        log.append(EventKind::queued);
    }
    log.append(EventKind::in_progress);
}

void close_log(EventLog& log, ResponseEnd& end) {
    const store::ItemStatus open_status =
        end.status == store::RunStatus::completed ? store::ItemStatus::completed : store::ItemStatus::incomplete;
    end.output.clear();
    for (std::size_t i = 0; i < log.items().size(); ++i) {
        const bool open = log.items()[i].is_open();
        log.close_item(i);
        end.output.push_back(output_item(log, i, store::ItemStatus::completed));
        end.output.back().status = open ? open_status : store::ItemStatus::completed;
    }
    if (log.items().empty() && end.status == store::RunStatus::failed) {
        log.append(EventKind::error);
    }
    log.append(EventKind::finished);
}

EventLog rebuild_log(const ResponseFacts& facts, const ResponseEnd& end) {
    EventLog log;
    append_opening_events(log, facts.background);
    for (std::size_t i = 0; i < end.output.size(); ++i) {
        const OutputItem& item = end.output[i];
        log.append(place(EventKind::item_added, i, 0, announcement(item.id, item.call_id, item.name)));
        for (std::size_t part = 0; part < item.parts.size(); ++part) {
            const PartKind kind = item.parts[part].kind;
            if (kind != PartKind::arguments) {
                log.close_part(i);
                log.append(place(added_kind(kind), i, part, {}));
            }
            if (!item.parts[part].text.empty()) {
                log.append(place(delta_kind(kind), i, part, item.parts[part].text));
            }
        }
        log.set_extra_content(i, item.extra_content);
        log.close_item(i);
    }
    if (end.output.empty() && end.status == store::RunStatus::failed) {
        log.append(EventKind::error);
    }
    log.append(EventKind::finished);
    return log;
}

}  // namespace confab::chat
