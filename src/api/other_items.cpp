#include "api/other_items.hpp"

#include <algorithm>
#include <array>

#include "api/input.hpp"
#include "base/text.hpp"
#include "llm/chat_request.hpp"
#include "llm/token_estimate.hpp"

namespace confab::api {

namespace {

using base::invalid;
using base::ItemType;
using base::Result;
using store::NewItem;

// Kept as they came, shown again, never sent to a model.
constexpr std::array<std::string_view, 22> kKnownTypes{
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter_call",
    "compaction",
    "computer_call",
    "computer_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "image_generation_call",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "program",
    "shell_call",
    "shell_call_output",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
};

NewItem new_item(ItemType type, store::ItemRole role) {
    NewItem item;
    item.id = store::ItemId::make(type);
    item.role = role;
    item.format = store::BodyFormat::json;
    return item;
}

std::unexpected<base::Error> missing(const std::string& param) {
    return invalid(param, "Missing required parameter: '" + param + "'.", "missing_required_parameter");
}

base::Status check_size(const NewItem& item, const std::string& param) {
    if (item.body.size() > kItemTextBytesMax || !base::is_utf8(item.body)) {
        return invalid(param, "'" + param + "' must be UTF-8 of at most 10 MiB.", "invalid_content");
    }
    return {};
}

Result<std::string> parse_call_id(const Fields& fields) {
    TRY(const auto call_id, fields.required_text("call_id", kCallIdBytesMax));
    if (call_id.empty()) {
        return missing(fields.param("call_id"));
    }
    return call_id;
}

Result<NewItem> parse_function_call(const json::object& object, const std::string& param) {
    const Fields fields(object, param + ".");
    TRY(const auto call_id, parse_call_id(fields));
    TRY(const auto name, fields.required_text("name"));
    TRY(const auto arguments, fields.required_text("arguments", kItemTextBytesMax));
    TRY(const json::object* extra, fields.object("extra_content"));
    if (name.empty()) {
        return missing(fields.param("name"));
    }
    TRY(const auto status, fields.text("status"));
    NewItem item = new_item(ItemType::function_call, store::ItemRole::assistant);
    if (status && *status != "completed") {
        item.status = store::ItemStatus::incomplete;  // cut off; a model is not told of it
    }
    base::JsonWriter out(item.body);
    out.begin_object();
    out.member("call_id", call_id);
    out.member("name", name);
    out.member("arguments", arguments);
    if (extra != nullptr) {
        out.raw_member("extra_content", base::to_string(*extra));
    }
    out.end_object();
    item.tokens = llm::estimate_tokens(name) + llm::estimate_tokens(arguments) + llm::kMessageTokens;
    return item;
}

// The tokens of an output: a text, or parts that a message may have too.
Result<std::int64_t> check_output(const json::value& output, const std::string& param) {
    if (output.is_string()) {
        return llm::estimate_tokens({output.get_string().data(), output.get_string().size()});
    }
    if (!output.is_array()) {
        return invalid(param, "'" + param + "' is a string or an array of content parts.", "invalid_type");
    }
    return check_parts(output.get_array(), param);
}

Result<NewItem> parse_function_call_output(const json::object& object, const std::string& param) {
    const Fields fields(object, param + ".");
    TRY(const auto call_id, parse_call_id(fields));
    const json::value* output = fields.any("output");
    if (output == nullptr) {
        return missing(fields.param("output"));
    }
    NewItem item = new_item(ItemType::function_call_output, store::ItemRole::tool);
    TRY(item.tokens, check_output(*output, fields.param("output")));
    item.tokens += llm::kMessageTokens;
    base::JsonWriter out(item.body);
    out.begin_object();
    out.member("call_id", call_id);
    out.raw_member("output", base::to_string(*output));
    out.end_object();
    return item;
}

// Kept whole, but for what is ours to say.
Result<NewItem> parse_reasoning_item(const json::object& object, const std::string& param) {
    const Fields fields(object, param + ".");
    TRY(const json::array* summary, fields.array("summary"));
    TRY_VOID(fields.array("content"));
    json::object kept;
    kept["summary"] = summary == nullptr ? json::array() : *summary;
    for (const auto& member : object) {
        const std::string_view name = member.key();
        if (name == "content" || name == "encrypted_content") {
            kept[member.key()] = member.value();
        }
    }
    NewItem item = new_item(ItemType::reasoning, store::ItemRole::assistant);
    item.body = base::to_string(kept);
    return item;
}

NewItem keep_as_it_is(std::string_view type, const json::object& object) {
    json::object kept;
    kept["type"] = type;
    for (const auto& member : object) {
        const std::string_view name = member.key();
        if (name != "type" && name != "id" && name != "created_at") {
            kept[member.key()] = member.value();
        }
    }
    NewItem item = new_item(ItemType::other, store::ItemRole::assistant);
    item.body = base::to_string(kept);
    return item;
}

Result<NewItem> parse_by_type(std::string_view type, const json::object& object, const std::string& param) {
    if (type == "function_call") {
        return parse_function_call(object, param);
    }
    if (type == "function_call_output") {
        return parse_function_call_output(object, param);
    }
    if (type == "reasoning") {
        return parse_reasoning_item(object, param);
    }
    if (std::ranges::find(kKnownTypes, type) != kKnownTypes.end()) {
        return keep_as_it_is(type, object);
    }
    return invalid(
        param + ".type", "'" + std::string(type) + "' is no type of item that is known.", "unsupported_item_type"
    );
}

}  // namespace

Result<NewItem> parse_other_item(std::string_view type, const json::object& item, const std::string& param) {
    TRY(auto parsed, parse_by_type(type, item, param));
    TRY_VOID(check_size(parsed, param));
    return parsed;
}

bool is_reference(const json::object& item) {
    const json::value* type = base::find(item, "type");
    if (type == nullptr || type->is_null()) {
        return base::find(item, "id") != nullptr && base::find(item, "role") == nullptr;
    }
    return base::find_string(item, "type") == "item_reference";
}

Result<store::ItemId> parse_reference(const json::object& item, const std::string& param) {
    const Fields fields(item, param + ".");
    TRY(const auto text, fields.required_text("id"));
    const auto id = store::ItemId::parse(text);
    if (!id) {
        return no_such_reference(text, fields.param("id"));
    }
    return *id;
}

std::unexpected<base::Error> no_such_reference(std::string_view id, const std::string& param) {
    return invalid(param, "Item with id '" + std::string(id) + "' not found.", "item_not_found");
}

}  // namespace confab::api
