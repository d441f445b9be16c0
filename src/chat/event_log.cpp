#include "chat/event_log.hpp"

namespace confab::chat {

namespace {

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
    std::size_t at = 1;
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
    const auto kind = static_cast<EventKind>(bytes[0]);
    if (length > bytes.size() - at || kind < EventKind::created || kind > EventKind::finished) {
        return {};
    }
    Record record;
    record.event.kind = kind;
    record.event.payload = bytes.substr(at, length);
    record.bytes = at + length;
    return record;
}

}  // namespace

void EventLog::append(EventKind kind, std::string_view payload) {
    starts_.push_back(static_cast<std::uint32_t>(bytes_.size()));
    bytes_ += static_cast<char>(kind);
    append_length(bytes_, payload.size());
    bytes_ += payload;
}

base::Status EventLog::append_records(std::string_view records) {
    while (!records.empty()) {
        const Record record = parse_record(records);
        if (record.bytes == 0) {
            return base::fail(base::Errc::internal, "A stored stretch of an answer is damaged.", "damaged_chunk");
        }
        append(record.event.kind, record.event.payload);
        records.remove_prefix(record.bytes);
    }
    return {};
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

std::string EventLog::text() const {
    std::string text;
    for (Sequence i = 0; i < size(); ++i) {
        const Event event = at(i);
        if (event.kind == EventKind::text_delta) {
            text += event.payload;
        }
    }
    return text;
}

std::string_view EventLog::first_payload(EventKind kind) const {
    for (Sequence i = 0; i < size(); ++i) {
        const Event event = at(i);
        if (event.kind == kind) {
            return event.payload;
        }
    }
    return {};
}

bool EventLog::contains(EventKind kind) const {
    for (Sequence i = 0; i < size(); ++i) {
        if (at(i).kind == kind) {
            return true;
        }
    }
    return false;
}

}  // namespace confab::chat
