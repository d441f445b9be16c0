#include "transfer/confab_item.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.hpp"
#include "chat/item_json.hpp"
#include "llm/chat_request.hpp"
#include "llm/token_estimate.hpp"
#include "transfer/confab_image.hpp"
#include "transfer/confab_usage.hpp"
#include "transfer/value_parser.hpp"

namespace confab::transfer {

namespace {

namespace json = base::json;
using base::ItemType;
using base::Result;
using store::BodyFormat;
using store::ItemRole;

// Members of an item that are not in its body: those of every item, and those that only say what is stored elsewhere.
constexpr std::array<std::string_view, 13> kOwnMembers{
    "id", "created_at", "response_id", "model", "usage",    "timing", "truncated",
    "bytes",    "position",   "parent_id",   "siblings", "type", "status"
};

std::unexpected<base::Error> bad_item(std::string_view what) {
    return base::invalid("file", "An item was left out: " + std::string(what) + ".", "invalid_item");
}

std::optional<ItemRole> read_role(std::string_view name) {
    for (const ItemRole role :
         {ItemRole::user, ItemRole::assistant, ItemRole::system, ItemRole::developer, ItemRole::tool}) {
        if (chat::to_string(role) == name) {
            return role;
        }
    }
    return std::nullopt;
}

bool is_empty_array(const json::object& object, std::string_view name) {
    const json::array* array = find_array(object, name);
    return array != nullptr && array->empty();
}

// The text of a content that is stored as text: its only part looks as one made from a text does.
const json::string* plain_text(const json::array& content, ItemRole role) {
    if (content.size() != 1 || !content[0].is_object()) {
        return nullptr;
    }
    const json::object& part = content[0].get_object();
    const json::value* text = base::find(part, "text");
    if (text == nullptr || !text->is_string()) {
        return nullptr;
    }
    const bool answer = role == ItemRole::assistant;
    if (base::find_string(part, "type") != (answer ? "output_text" : "input_text")) {
        return nullptr;
    }
    const bool plain = answer ? part.size() == 4 && is_empty_array(part, "annotations") && is_empty_array(part, "logprobs")
                              : part.size() == 2;
    return plain ? &text->get_string() : nullptr;
}

std::int64_t tokens_of(const json::array& parts) {
    std::int64_t tokens = 0;
    for (const json::value& part : parts) {
        const json::value* text = part.is_object() ? base::find(part.get_object(), "text") : nullptr;
        const bool is_text = text != nullptr && text->is_string();
        tokens += is_text ? llm::estimate_tokens(std::string_view(text->get_string())) : llm::kImageTokens;
    }
    return tokens;
}

base::Status read_message(store::NewItem& item, json::object& object) {
    const auto role = read_role(base::find_string(object, "role"));
    json::array* content = find_array(object, "content");
    if (!role || content == nullptr) {
        return bad_item("it has no role or no content");
    }
    item.role = *role;
    if (const json::string* text = plain_text(*content, *role)) {
        item.body.assign(text->data(), text->size());
        item.tokens = llm::estimate_tokens(item.body) + llm::kMessageTokens;
        return {};
    }
    TRY_VOID(check_images(*content));
    item.format = BodyFormat::json;
    item.body = base::to_string(json::value(*content));
    if (!content->empty() && !llm::chat_content(item.body)) {
        return bad_item("its content has parts that are not known");
    }
    item.tokens = tokens_of(*content) + llm::kMessageTokens;
    return {};
}

// The members that are the body's, in their order.
std::string members_of(const json::object& object, ItemType type) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    for (const auto& member : object) {
        const std::string_view name = member.key();
        const bool others = type == ItemType::other && (name == "type" || name == "status");
        if (others || std::ranges::find(kOwnMembers, name) == kOwnMembers.end()) {
            out.raw_member(name, base::to_string(member.value()));
        }
    }
    out.end_object();
    return body;
}

void read_reasoning(store::NewItem& item, const json::object& object) {
    const json::array* summary = find_array(object, "summary");
    const json::object* part =
        summary != nullptr && summary->size() == 1 ? (*summary)[0].if_object() : nullptr;
    item.body = members_of(object, ItemType::reasoning);
    const bool plain = part != nullptr && part->size() == 2 && base::find_string(*part, "type") == "summary_text" &&
                       base::find(*part, "text") != nullptr && base::find(*part, "text")->is_string() &&
                       item.body.starts_with("{\"summary\":") &&
                       item.body.size() == base::to_string(json::value(*summary)).size() + std::string_view("{\"summary\":}").size();
    if (plain) {
        item.body = base::find_string(*part, "text");
    } else {
        item.format = BodyFormat::json;
    }
}

base::Status read_call(store::NewItem& item, json::object& object, ItemType type) {
    if (json::array* output = find_array(object, "output"); output != nullptr && type == ItemType::function_call_output) {
        TRY_VOID(check_images(*output));
    }
    item.format = BodyFormat::json;
    item.body = members_of(object, type);
    const std::string_view call_id = base::find_string(object, "call_id");
    if (call_id.empty() || call_id.size() > 64) {
        return bad_item("it has no call_id");
    }
    if (type == ItemType::function_call) {
        item.tokens = llm::estimate_tokens(base::find_string(object, "name")) +
                      llm::estimate_tokens(base::find_string(object, "arguments")) + llm::kMessageTokens;
        const bool whole = !base::find_string(object, "name").empty() && base::find(object, "arguments") != nullptr &&
                           base::find(object, "arguments")->is_string();
        return whole ? base::Status() : bad_item("it is no whole call");
    }
    item.role = ItemRole::tool;
    const json::value* output = base::find(object, "output");
    if (output == nullptr || (!output->is_string() && !output->is_array())) {
        return bad_item("it has no output");
    }
    if (output->is_array() && !output->get_array().empty() && !llm::chat_content(base::to_string(*output))) {
        return bad_item("its output has parts that are not known");
    }
    item.tokens = llm::kMessageTokens + (output->is_array() ? tokens_of(output->get_array())
                                                            : llm::estimate_tokens(std::string_view(output->get_string())));
    return {};
}

// The output tokens are in the usage; the rate tells them too.
std::optional<store::RunTiming> read_timing(const json::object& object) {
    const json::object* timing = find_object(object, "timing");
    if (timing == nullptr) {
        return std::nullopt;
    }
    const auto number = [](const json::object& from, std::string_view name) -> std::optional<double> {
        const json::value* value = base::find(from, name);
        return value != nullptr && value->is_number() ? std::optional(value->to_number<double>()) : std::nullopt;
    };
    const auto first = number(*timing, "first_token_ms");
    const auto duration = number(*timing, "duration_ms");
    constexpr double kMsMax = 1e12;
    if (!first || !duration || *first < 0 || *duration < 0 || *first > kMsMax || *duration > kMsMax) {
        return std::nullopt;
    }
    store::RunTiming read;
    read.first_token_ms = static_cast<std::int64_t>(*first);
    read.duration_ms = static_cast<std::int64_t>(*duration);
    if (const auto rate = number(*timing, "tokens_per_second"); rate && *rate >= 0 && *rate < 1e9) {
        const json::object* usage = find_object(object, "usage");
        const auto counted = usage == nullptr ? std::nullopt : number(*usage, "output_tokens");
        const double guessed = *rate * (*duration - *first) / 1000;
        const bool agree = counted && std::abs(*counted - guessed) <= 0.01 * (*duration - *first) / 1000 + 0.5;
        read.output_tokens = std::llround(agree ? *counted : guessed);
    }
    return read;
}

std::string_view type_name(ItemType type) {
    switch (type) {
        case ItemType::message: return "message";
        case ItemType::reasoning: return "reasoning";
        case ItemType::function_call: return "function_call";
        case ItemType::function_call_output: return "function_call_output";
        case ItemType::other: return {};
    }
    return {};
}

base::Status read_by_type(SourceItem& item, json::object& object) {
    switch (item.type) {
        case ItemType::message: return read_message(item.item, object);
        case ItemType::reasoning: read_reasoning(item.item, object); return {};
        case ItemType::function_call:
        case ItemType::function_call_output: return read_call(item.item, object, item.type);
        case ItemType::other:
            item.item.format = BodyFormat::json;
            item.item.body = members_of(object, ItemType::other);
            return item.item.body.starts_with("{\"type\":\"") ? base::Status() : bad_item("it has no type");
    }
    return {};
}

}  // namespace

Result<SourceMessage> read_confab_item(json::object& object) {
    const auto id = store::ItemId::parse(base::find_string(object, "id"));
    const std::string_view type = base::find_string(object, "type");
    if (!id || type.empty() || (id->type() != ItemType::other && type != type_name(id->type()))) {
        return bad_item("its id or its type is malformed");
    }
    if (read_flag(object, "truncated")) {
        return bad_item("it is only the beginning of an item");
    }
    SourceMessage message;
    message.id = id->str();
    message.given_id = id;
    message.created_at = read_time(base::find(object, "created_at"));
    SourceItem item;
    item.type = id->type();
    item.item.role = ItemRole::assistant;
    const std::string_view status = base::find_string(object, "status");
    const bool broken_off = status == "incomplete" || status == "in_progress";
    item.item.status =
        broken_off && item.type != ItemType::other ? store::ItemStatus::incomplete : store::ItemStatus::completed;
    TRY_VOID(read_by_type(item, object));
    if (item.item.body.size() > kBodyBytesMax) {
        return bad_item("it has more than 10 MiB");
    }
    if (const auto run = store::ResponseId::parse(base::find_string(object, "response_id"))) {
        message.given_run = run;
        message.model = base::utf8_prefix(base::find_string(object, "model"), kModelBytesMax);
        if (const json::object* usage = find_object(object, "usage")) {
            message.usage = read_usage(*usage);
        }
        message.timing = read_timing(object);
    }
    message.items.push_back(std::move(item));
    return message;
}

}  // namespace confab::transfer
