#include "chat/event_log.hpp"

#include <algorithm>

#include "base/json.hpp"

namespace confab::chat {

namespace {

constexpr std::uint8_t kHasPlace = 0x80;
constexpr std::size_t kCallIdLengthBytes = 2;

void append_length(std::string& bytes, std::size_t length) {
    while (length >= 0x80) {
        bytes += static_cast<char>(0x80 | (length & 0x7F));
        length >>= 7;
    }
    bytes += static_cast<char>(length);
}

struct Record {
    Event event;
    std::size_t bytes = 0;  // of the whole record; 0 when it is not whole
};

Record parse_record(std::string_view bytes) {
    const auto head = static_cast<std::uint8_t>(bytes[0]);
    Record record;
    record.event.kind = static_cast<EventKind>(head & ~kHasPlace);
    std::size_t at = 1;
    if ((head & kHasPlace) != 0) {
        if (bytes.size() < 3) {
            return {};
        }
        record.event.output = static_cast<std::uint8_t>(bytes[1]);
        record.event.content = static_cast<std::uint8_t>(bytes[2]);
        at = 3;
    }
    std::size_t length = 0;
    for (unsigned shift = 0;; shift += 7) {
        if (at >= bytes.size() || shift > 28) {
            return {};
        }
        const auto byte = static_cast<unsigned char>(bytes[at++]);
        length |= static_cast<std::size_t>(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            break;
        }
    }
    const EventKind kind = record.event.kind;
    if (length > bytes.size() - at || kind < EventKind::created || kind > EventKind::arguments_done ||
        record.event.output >= kOutputItemsMax || record.event.content >= kOutputPartsMax) {
        return {};
    }
    record.event.payload = bytes.substr(at, length);
    record.bytes = at + length;
    return record;
}

bool is_delta(EventKind kind) {
    return kind == EventKind::text_delta || kind == EventKind::refusal_delta || kind == EventKind::summary_delta ||
           kind == EventKind::arguments_delta;
}

EventKind done_kind(PartKind part) {
    switch (part) {
        case PartKind::text: return EventKind::text_done;
        case PartKind::refusal: return EventKind::refusal_done;
        case PartKind::summary: return EventKind::summary_done;
        case PartKind::arguments: return EventKind::arguments_done;
    }
    return EventKind::text_done;
}

}  // namespace

std::string announcement(const base::ItemId& id, std::string_view call_id, std::string_view name) {
    std::string payload(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
    if (id.type() == base::ItemType::function_call) {
        CONFAB_ASSERT(call_id.size() <= 0xFFFF);
        payload += static_cast<char>(call_id.size() & 0xFF);
        payload += static_cast<char>(call_id.size() >> 8);
        payload += call_id;
        payload += name;
    }
    return payload;
}

std::string render_place(const base::ItemId& id, std::size_t output) {
    return "\"item_id\":\"" + id.str() + "\",\"output_index\":" + std::to_string(output);
}

void EventLog::append(const Event& event) {
    starts_.push_back(static_cast<std::uint32_t>(bytes_.size()));
    const bool has_place = event.output != 0 || event.content != 0;
    bytes_ += static_cast<char>(static_cast<std::uint8_t>(event.kind) | (has_place ? kHasPlace : 0));
    if (has_place) {
        bytes_ += static_cast<char>(event.output);
        bytes_ += static_cast<char>(event.content);
    }
    append_length(bytes_, event.payload.size());
    bytes_ += event.payload;
    if (!is_delta(event.kind)) {
        note(event);
    }
}

base::Status EventLog::append_records(std::string_view records) {
    while (!records.empty()) {
        const Record record = parse_record(records);
        if (record.bytes == 0) {
            return base::fail(base::Errc::internal, "A stored stretch of an answer is damaged.", "damaged_chunk");
        }
        append(record.event);
        records.remove_prefix(record.bytes);
    }
    return {};
}

// Keeps the table of items. A stretch of a log may speak of items that were announced before it.
void EventLog::note(const Event& event) {
    if (event.kind == EventKind::item_added) {
        note_item(event);
        return;
    }
    if (event.output >= items_.size()) {
        return;
    }
    LoggedItem& item = items_[event.output];
    const auto begin_part = [&item](PartKind kind) {
        item.parts.push_back(kind);
        item.part_state = PartState::open;
    };
    switch (event.kind) {
        case EventKind::part_added: begin_part(PartKind::text); break;
        case EventKind::refusal_added: begin_part(PartKind::refusal); break;
        case EventKind::summary_added: begin_part(PartKind::summary); break;
        case EventKind::text_done:
        case EventKind::refusal_done:
        case EventKind::summary_done: item.part_state = PartState::text_done; break;
        case EventKind::part_done:
        case EventKind::summary_part_done: item.part_state = PartState::done; break;
        case EventKind::arguments_done:
            item.extra_content = event.payload;
            item.part_state = PartState::done;
            break;
        case EventKind::item_done: item.done = size() - 1; break;
        default: break;
    }
}

void EventLog::note_item(const Event& event) {
    LoggedItem item;
    const std::size_t id_bytes = item.id.bytes.size();
    if (event.payload.size() < id_bytes) {
        return;
    }
    std::copy_n(event.payload.begin(), id_bytes, item.id.bytes.begin());
    if (item.id.type() == base::ItemType::function_call && event.payload.size() >= id_bytes + kCallIdLengthBytes) {
        std::string_view rest = event.payload.substr(id_bytes);
        const std::size_t length =
            static_cast<unsigned char>(rest[0]) | static_cast<std::size_t>(static_cast<unsigned char>(rest[1])) << 8;
        rest.remove_prefix(kCallIdLengthBytes);
        item.call_id = rest.substr(0, length);
        item.name = rest.substr(std::min(length, rest.size()));
    }
    if (item.id.type() == base::ItemType::function_call) {
        item.parts.push_back(PartKind::arguments);
        item.part_state = PartState::open;
    }
    item.place = render_place(item.id, event.output);
    item.first = size() - 1;
    if (items_.size() <= event.output) {
        items_.resize(event.output + std::size_t{1});
    }
    items_[event.output] = std::move(item);
}

Event EventLog::at(Sequence sequence) const {
    CONFAB_ASSERT(sequence >= 0 && sequence < size());
    return parse_record(std::string_view(bytes_).substr(starts_[static_cast<std::size_t>(sequence)])).event;
}

std::string_view EventLog::records(Sequence from, Sequence to) const {
    CONFAB_ASSERT(from >= 0 && from <= to && to <= size());
    const auto start_of = [this](Sequence sequence) {
        return sequence == size() ? bytes_.size() : starts_[static_cast<std::size_t>(sequence)];
    };
    const std::size_t begin = start_of(from);
    return std::string_view(bytes_).substr(begin, start_of(to) - begin);
}

std::string EventLog::text_of(std::size_t output, std::size_t content) const {
    std::string text;
    const LoggedItem& item = items_[output];
    const Sequence end = item.is_open() ? size() : item.done;
    for (Sequence i = item.first; i < end; ++i) {
        const Event event = at(i);
        if (is_delta(event.kind) && event.output == output && event.content == content) {
            text += event.payload;
        }
    }
    return text;
}

void EventLog::close_part(std::size_t output) {
    const LoggedItem& item = items_[output];
    if (item.parts.empty() || item.part_state == PartState::done) {
        return;
    }
    const PartKind part = item.parts.back();
    Event event;
    event.output = static_cast<std::uint8_t>(output);
    event.content = static_cast<std::uint8_t>(item.parts.size() - 1);
    const std::string extra = item.extra_content;
    if (item.part_state == PartState::open) {
        event.kind = done_kind(part);
        event.payload = part == PartKind::arguments ? std::string_view(extra) : std::string_view();
        append(event);
    }
    if (part != PartKind::arguments) {
        event.kind = part == PartKind::summary ? EventKind::summary_part_done : EventKind::part_done;
        event.payload = {};
        append(event);
    }
}

void EventLog::close_item(std::size_t output) {
    if (!items_[output].is_open()) {
        return;
    }
    Event event;
    event.output = static_cast<std::uint8_t>(output);
    if (items_[output].parts.empty()) {  // a crash came between an item's first event and its second
        const bool thinks = items_[output].id.type() == base::ItemType::reasoning;
        event.kind = thinks ? EventKind::summary_added : EventKind::part_added;
        append(event);
    }
    close_part(output);
    event.kind = EventKind::item_done;
    append(event);
}

}  // namespace confab::chat
