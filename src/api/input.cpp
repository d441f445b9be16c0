#include "api/input.hpp"

#include "api/other_items.hpp"
#include "base/text.hpp"
#include "llm/chat_request.hpp"
#include "llm/token_estimate.hpp"

namespace confab::api {

namespace {

using base::invalid;
using base::Result;
using store::NewItem;

Result<store::ItemRole> parse_role(const Fields& fields) {
    TRY(const auto role, fields.required_text("role"));
    if (role == "user") {
        return store::ItemRole::user;
    }
    if (role == "assistant") {
        return store::ItemRole::assistant;
    }
    if (role == "system") {
        return store::ItemRole::system;
    }
    if (role == "developer") {
        return store::ItemRole::developer;
    }
    return invalid(fields.param("role"), "A role is 'user', 'assistant', 'system' or 'developer'.");
}

// The text of an array with a single text part, which is what nearly every message is.
const json::string* single_text(const json::array& parts) {
    if (parts.size() != 1 || !parts[0].is_object()) {
        return nullptr;
    }
    const auto& part = parts[0].get_object();
    const std::string_view type = base::find_string(part, "type");
    const json::value* text = base::find(part, "text");
    const bool is_text = type == "input_text" || type == "output_text" || type == "text";
    return is_text && text != nullptr && text->is_string() ? &text->get_string() : nullptr;
}

// Text by its length, anything else (an image, a file) by the price of an image: base64 is not what a model reads.
std::int64_t estimate_parts(const json::array& parts) {
    std::int64_t tokens = 0;
    for (const auto& part : parts) {
        const json::value* text = part.is_object() ? base::find(part.get_object(), "text") : nullptr;
        const bool is_text = text != nullptr && text->is_string();
        tokens +=
            is_text ? llm::estimate_tokens({text->get_string().data(), text->get_string().size()}) : llm::kImageTokens;
    }
    return tokens;
}

base::Status check_text_parts(const json::array& parts, const std::string& param) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::string name = param + "[" + std::to_string(i) + "]";
        if (!parts[i].is_object()) {
            return invalid(name, "'" + name + "' must be an object.", "invalid_type");
        }
        const auto& part = parts[i].get_object();
        const std::string_view type = base::find_string(part, "type");
        const json::value* text = base::find(part, "text");
        const bool wants_text = type == "input_text" || type == "output_text" || type == "text";
        if (wants_text && (text == nullptr || !text->is_string())) {
            return invalid(name + ".text", "'" + name + ".text' must be a string.", "invalid_type");
        }
        const json::value* refusal = base::find(part, "refusal");
        if (type == "refusal" && (refusal == nullptr || !refusal->is_string())) {
            return invalid(name + ".refusal", "'" + name + ".refusal' must be a string.", "invalid_type");
        }
    }
    return {};
}

base::Status set_content(NewItem& item, const json::value& content, const std::string& param) {
    const json::string* text = content.is_string() ? &content.get_string() : nullptr;
    if (text == nullptr && content.is_array()) {
        text = single_text(content.get_array());
    }
    if (text != nullptr) {
        item.format = store::BodyFormat::text;
        item.body.assign(text->data(), text->size());
        item.tokens = llm::estimate_tokens(item.body) + llm::kMessageTokens;
    } else if (content.is_array() && !content.get_array().empty()) {
        TRY(const std::int64_t tokens, check_parts(content.get_array(), param));
        item.format = store::BodyFormat::json;
        item.body = base::to_string(content);
        item.tokens = tokens + llm::kMessageTokens;
    } else {
        return invalid(param, "'" + param + "' is a string or an array of content parts.", "invalid_type");
    }
    if (item.body.empty()) {
        return invalid(param, "'" + param + "' is empty.", "empty_content");
    }
    if (item.body.size() > kItemTextBytesMax || !base::is_utf8(item.body)) {
        return invalid(param, "'" + param + "' must be UTF-8 of at most 10 MiB.", "invalid_content");
    }
    return {};
}

Result<NewItem> parse_item(const json::value& value, const std::string& param) {
    if (!value.is_object()) {
        return invalid(param, "'" + param + "' must be an object.", "invalid_type");
    }
    const Fields fields(value.get_object(), param + ".");
    TRY(const auto type, fields.text("type"));
    if (type && *type != "message") {
        return parse_other_item(*type, value.get_object(), param);
    }
    NewItem item;
    item.id = store::ItemId::make();
    TRY(item.role, parse_role(fields));
    const json::value* content = fields.any("content");
    if (content == nullptr) {
        return invalid(
            fields.param("content"),
            "Missing required parameter: '" + fields.param("content") + "'.",
            "missing_required_parameter"
        );
    }
    TRY_VOID(set_content(item, *content, fields.param("content")));
    return item;
}

}  // namespace

Result<std::int64_t> check_parts(const json::array& parts, const std::string& param) {
    TRY_VOID(check_text_parts(parts, param));
    const auto rendered = llm::chat_content(base::to_string(parts));
    if (!rendered) {
        return invalid(param, rendered.error().message, rendered.error().code);
    }
    return estimate_parts(parts);
}

Result<Input> parse_input(const json::value& input, std::string_view param, std::size_t items_max) {
    const std::string name(param);
    Input parsed;
    if (input.is_string()) {
        NewItem item;
        item.id = store::ItemId::make();
        TRY_VOID(set_content(item, input, name));
        parsed.items.push_back(std::move(item));
        return parsed;
    }
    if (!input.is_array()) {
        return invalid(name, "'" + name + "' is a string or an array of items.", "invalid_type");
    }
    const auto& array = input.get_array();
    if (array.size() > items_max) {
        return invalid(
            name, "'" + name + "' has at most " + std::to_string(items_max) + " items.", "array_above_max_length"
        );
    }
    for (std::size_t i = 0; i < array.size(); ++i) {
        const std::string item_name = name + "[" + std::to_string(i) + "]";
        if (array[i].is_object() && is_reference(array[i].get_object())) {
            TRY(const auto id, parse_reference(array[i].get_object(), item_name));
            parsed.references.push_back({i, id, item_name + ".id"});
            parsed.items.emplace_back();
        } else {
            TRY(auto item, parse_item(array[i], item_name));
            parsed.items.push_back(std::move(item));
        }
    }
    return parsed;
}

Task<Result<std::vector<NewItem>>> resolve_references(Context& context, store::UserNo user, Input& input) {
    if (input.references.empty()) {
        co_return std::move(input.items);
    }
    auto lease = context.budget.try_lease(kReferredBytesMax, meter::Purpose::bodies, static_cast<std::int64_t>(user));
    if (!lease) {
        co_return std::unexpected(lease.error());
    }
    std::vector<store::ItemId> ids;
    for (const ItemReference& reference : input.references) {
        ids.push_back(reference.id);
    }
    auto found = co_await context.store.find_items(user, ids, kReferredBytesMax);
    if (!found && found.error().errc == base::Errc::not_found) {
        std::size_t missing = 0;
        const std::string& index = found.error().param;
        std::from_chars(index.data(), index.data() + index.size(), missing);
        const ItemReference& reference = input.references[std::min(missing, ids.size() - 1)];
        co_return no_such_reference(reference.id.str(), reference.param);
    }
    if (!found) {
        base::Error error = std::move(found).error();
        const std::string& param = input.references.front().param;  // input[3].id
        error.param = error.errc == base::Errc::too_large ? param.substr(0, param.find('[')) : error.param;
        co_return std::unexpected(std::move(error));
    }
    std::uint64_t bytes = 0;
    for (const store::Item& item : *found) {
        bytes += item.body.size();
    }
    lease->release();
    lease = context.budget.try_lease(bytes, meter::Purpose::bodies, static_cast<std::int64_t>(user));
    if (!lease) {
        co_return std::unexpected(lease.error());
    }
    input.lease = std::move(*lease);
    for (std::size_t i = 0; i < found->size(); ++i) {
        store::Item& from = (*found)[i];
        NewItem& copy = input.items[input.references[i].index];
        copy.id = store::ItemId::make(from.id.type());
        copy.role = from.role;
        copy.status = from.status;
        copy.format = from.format;
        copy.body = std::move(from.body);
        copy.tokens = from.tokens;
    }
    co_return std::move(input.items);
}

}  // namespace confab::api
