#include "transfer/message_parts.hpp"

#include "base/text.hpp"
#include "llm/token_estimate.hpp"

namespace confab::transfer {

namespace {

SourceItem make_item(base::ItemType type, store::ItemRole role) {
    SourceItem item;
    item.type = type;
    item.item.role = role;
    return item;
}

}  // namespace

void add_text(SourceMessage& message, store::ItemRole role, std::string_view text) {
    if (base::trim(text).empty()) {
        return;
    }
    SourceItem item = make_item(base::ItemType::message, role);
    item.item.body = base::utf8_prefix(text, kBodyBytesMax);
    item.item.tokens = llm::estimate_tokens(item.item.body) + llm::kMessageTokens;
    message.items.push_back(std::move(item));
}

// A model is not sent its reasoning again: it costs no tokens.
void add_reasoning(SourceMessage& message, std::string_view text) {
    if (base::trim(text).empty()) {
        return;
    }
    SourceItem item = make_item(base::ItemType::reasoning, store::ItemRole::assistant);
    item.item.body = base::utf8_prefix(text, kBodyBytesMax);
    message.items.push_back(std::move(item));
}

void add_call(SourceMessage& message, std::string_view call_id, std::string_view name, std::string_view arguments) {
    SourceItem item = make_item(base::ItemType::function_call, store::ItemRole::assistant);
    item.item.format = store::BodyFormat::json;
    base::JsonWriter out(item.item.body);
    out.begin_object();
    out.member("call_id", call_id);
    out.member("name", name);
    out.member("arguments", base::utf8_prefix(arguments, kBodyBytesMax / 2));
    out.end_object();
    item.item.tokens = llm::estimate_tokens(name) + llm::estimate_tokens(arguments) + llm::kMessageTokens;
    message.items.push_back(std::move(item));
}

void add_call_output(SourceMessage& message, std::string_view call_id, std::string_view output) {
    SourceItem item = make_item(base::ItemType::function_call_output, store::ItemRole::tool);
    item.item.format = store::BodyFormat::json;
    base::JsonWriter out(item.item.body);
    out.begin_object();
    out.member("call_id", call_id);
    out.member("output", base::utf8_prefix(output, kBodyBytesMax / 2));
    out.end_object();
    item.item.tokens = llm::estimate_tokens(output) + llm::kMessageTokens;
    message.items.push_back(std::move(item));
}

}  // namespace confab::transfer
