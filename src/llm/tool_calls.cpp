#include "llm/tool_calls.hpp"

#include <ranges>

#include "base/ids.hpp"

namespace confab::llm {

namespace {

namespace json = base::json;

constexpr std::string_view kArgumentsSpace = " \t\r\n";

// Ids and names are kept for the length of the answer; real ones have less than 64 bytes.
constexpr std::size_t kNameBytesMax = 512;

std::optional<std::int64_t> integer_of(const json::value* value) {
    if (value == nullptr || !value->is_number()) {
        return std::nullopt;
    }
    json::error_code ec;
    const auto number = value->to_number<std::int64_t>(ec);
    return ec ? std::nullopt : std::optional(number);
}

bool begins_object(std::string_view text) {
    const auto first = text.find_first_not_of(kArgumentsSpace);
    return first != std::string_view::npos && text[first] == '{';
}

std::string make_call_id() {
    return "call_" + base::to_hex(base::make_uuid_v7());
}

}  // namespace

std::size_t JsonExtent::scan(std::string_view fragment) {
    if (complete_) {
        return fragment.size();
    }
    for (std::size_t i = 0; i < fragment.size(); ++i) {
        const char c = fragment[i];
        if (in_string_) {
            if (escaped_) {
                escaped_ = false;
            } else if (c == '\\') {
                escaped_ = true;
            } else if (c == '"') {
                in_string_ = false;
            }
        } else if (c == '"') {
            in_string_ = true;
        } else if (c == '{' || c == '[') {
            ++depth_;
        } else if ((c == '}' || c == ']') && depth_ > 0) {
            --depth_;
            if (depth_ == 0) {
                complete_ = true;
                return i + 1;
            }
        }
    }
    return fragment.size();
}

bool ToolCalls::add(const json::object& call) {
    const json::value* function = base::find(call, "function");
    const json::object& body = function != nullptr && function->is_object() ? function->get_object() : call;
    const json::value* arguments = base::find(body, "arguments");
    std::string rendered;  // some servers send the arguments as an object instead of as text
    if (arguments != nullptr && arguments->is_structured()) {
        rendered = json::serialize(*arguments);
    }
    Entry entry;
    entry.index = integer_of(base::find(call, "index"));
    entry.id = base::utf8_prefix(base::find_string(call, "id"), kNameBytesMax);
    entry.name = base::utf8_prefix(base::find_string(body, "name"), kNameBytesMax);
    entry.arguments = rendered.empty() ? base::find_string(body, "arguments") : rendered;
    const json::value* extra = base::find(call, "extra_content");
    std::string extra_content = extra != nullptr && extra->is_structured() ? valid_utf8(json::serialize(*extra)) : "";

    Slot* slot = slot_for(entry);
    while (slot != nullptr) {
        const bool renamed = slot->name.empty() && !entry.name.empty();
        if (renamed) {
            slot->name = valid_utf8(entry.name);
        }
        const std::size_t length = slot->extent.scan(entry.arguments);
        const bool more = begins_object(entry.arguments.substr(length));
        const std::string_view fragment = more ? entry.arguments.substr(0, length) : entry.arguments;
        if (!slot->announced || renamed || !fragment.empty() || !extra_content.empty()) {
            deliver(*slot, fragment, extra_content);
        }
        if (!more) {
            return true;
        }
        entry.arguments.remove_prefix(length);
        entry.id = {};
        extra_content.clear();
        const std::string name = slot->name;  // open() may move the slots
        slot = open(entry, name);
    }
    return false;
}

// The slot of this entry: found, or opened when the entry begins a new call.
ToolCalls::Slot* ToolCalls::slot_for(const Entry& entry) {
    Slot* slot = find_slot(entry);
    if (slot == nullptr) {
        return open(entry, entry.name);
    }
    if (slot->extent.complete()) {
        const bool other_id = !entry.id.empty() && entry.id != slot->id;
        const bool unmarked_name = !entry.index && entry.id.empty() && !entry.name.empty();
        if (other_id || unmarked_name || begins_object(entry.arguments)) {
            const std::string name(entry.name.empty() ? std::string_view(slot->name) : entry.name);
            Entry opened = entry;
            opened.id = other_id ? entry.id : std::string_view();
            return open(opened, name);
        }
    }
    return slot;
}

ToolCalls::Slot* ToolCalls::find_slot(const Entry& entry) {
    for (Slot& slot : slots_ | std::views::reverse) {
        if (entry.index ? slot.index == entry.index : entry.id.empty() || slot.id == entry.id) {
            return &slot;
        }
    }
    return nullptr;
}

ToolCalls::Slot* ToolCalls::open(const Entry& entry, std::string_view name) {
    if (slots_.size() == kToolCallsMax) {
        return nullptr;
    }
    Slot slot;
    slot.index = entry.index;
    slot.id = entry.id.empty() ? make_call_id() : valid_utf8(entry.id);
    slot.name = valid_utf8(name);
    slots_.push_back(std::move(slot));
    return &slots_.back();
}

void ToolCalls::deliver(Slot& slot, std::string_view arguments, std::string_view extra) {
    ToolCallDelta delta;
    delta.slot = static_cast<std::size_t>(&slot - slots_.data());
    delta.id = slot.id;
    delta.name = slot.name;
    delta.arguments = budget_.take(slot.joiner.join(arguments, scratch_));
    if (budget_.take(extra).size() == extra.size()) {
        delta.extra_content = extra;  // half of it would be of no use
    }
    slot.announced = true;
    sink_.on_tool_call(delta);
}

bool ToolCalls::complete() const {
    return !slots_.empty() && std::ranges::all_of(slots_, [](const Slot& slot) { return slot.extent.complete(); });
}

void ToolCalls::finish() {
    for (Slot& slot : slots_) {
        if (const std::string_view rest = slot.joiner.finish(); !rest.empty()) {
            scratch_.assign(rest);
            ToolCallDelta delta;
            delta.slot = static_cast<std::size_t>(&slot - slots_.data());
            delta.id = slot.id;
            delta.name = slot.name;
            delta.arguments = budget_.take(scratch_);
            sink_.on_tool_call(delta);
        }
    }
}

}  // namespace confab::llm
