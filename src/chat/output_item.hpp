// OutputItem: one item of an answer, as far as it has come or as it is stored.
#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"
#include "chat/event_log.hpp"
#include "store/rows.hpp"

namespace confab::chat {

struct OutputPart {
    PartKind kind = PartKind::text;
    std::string text;
};

struct OutputItem {
    store::ItemId id;  // says what it is: a message, a reasoning or a function call
    store::ItemStatus status = store::ItemStatus::completed;
    std::vector<OutputPart> parts;
    std::string call_id;  // of a function call, like the next two
    std::string name;
    std::string extra_content;  // JSON that has to be sent back with the call, mostly empty
};

// From the log of the answer, whole so far; `in_progress` items take `open_status`.
OutputItem output_item(const EventLog& log, std::size_t output, store::ItemStatus open_status);

// From the store and to it. What cannot be read back becomes an item without parts.
OutputItem output_item(const store::Item& stored);
store::NewItem stored_item(const OutputItem& item);

// The item as its events and the Response show it. `announced`: as it begins, without its parts.
enum class Shown : bool { announced, whole };
void render_output_item(base::JsonWriter& out, const OutputItem& item, Shown shown);

// One content part, or summary part.
void render_part(base::JsonWriter& out, PartKind kind, std::string_view text);

std::string_view to_string(store::ItemStatus status);

}  // namespace confab::chat
