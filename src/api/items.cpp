// /v1/conversations/{id}/items: the messages of a conversation, page by page.
#include <sstream>

#include "api/conversation_json.hpp"
#include "api/idempotency.hpp"
#include "api/input.hpp"
#include "api/input_images.hpp"
#include "api/routes.hpp"
#include "chat/item_json.hpp"
#include "store/derived_id.hpp"

namespace confab::api {

namespace {

using web::Access;

struct ItemPath {
    store::ConversationId conversation;
    store::ItemId item;
};

Result<ItemPath> parse_item_path(const web::Request& request) {
    ItemPath path;
    TRY(path.conversation, parse_path_id<store::ConversationId>(request, 0, "Conversation"));
    TRY(path.item, parse_path_id<store::ItemId>(request, 1, "Item"));
    return path;
}

template <class T>
Result<T> parse_number(std::string_view name, std::string_view text, T min, T max) {
    T number{};
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (ec != std::errc{} || end != text.data() + text.size() || !(number >= min && number <= max)) {
        return base::invalid(
            std::string(name), std::string(name) + " is a number from " + std::to_string(min) + " to " +
                                   std::to_string(max) + "."
        );
    }
    return number;
}

Result<std::optional<store::ItemId>> parse_item_query(const web::Request& request, std::string_view name) {
    const auto text = request.query_value(name);
    if (!text || text->empty()) {
        return std::nullopt;
    }
    const auto id = store::ItemId::parse(*text);
    if (!id) {
        return base::not_found("There is no such item in this conversation.", "item_not_found", std::string(name));
    }
    return id;
}

// Paging parameters, and a place to read around: around, at or date.
Result<store::ItemPageRequest> parse_item_page(const web::Request& request) {
    TRY(const auto page, parse_page<store::ItemId>(request));
    store::ItemPageRequest items(page);
    TRY(items.leaf, parse_item_query(request, "leaf"));
    TRY(const auto around, parse_item_query(request, "around"));
    const auto at = request.query_value("at");
    const auto date = request.query_value("date");
    if (static_cast<int>(around.has_value()) + static_cast<int>(at.has_value()) + static_cast<int>(date.has_value()) +
            static_cast<int>(items.after.has_value()) >
        1) {
        return base::invalid("around", "Only one of after, around, at and date can be given.");
    }
    if (around) {
        items.around = store::AtItem{*around};
    } else if (at) {
        TRY(const double share, parse_number<double>("at", *at, 0.0, 1.0));
        items.around = store::AtShare{share};
    } else if (date) {
        TRY(const auto seconds, parse_number<std::int64_t>("date", *date, 0, 1LL << 40));
        items.around = store::AtDate{seconds};
    }
    return items;
}

std::string render_item_page(const store::ItemPage& page) {
    std::string body = render_list(page, chat::render_item);
    body.pop_back();  // the closing brace: more members follow
    body += R"(,"has_older":)" + std::string(page.has_older ? "true" : "false");
    body += R"(,"has_newer":)" + std::string(page.has_newer ? "true" : "false");
    body += R"(,"leaf_id":)" + (page.leaf ? '"' + page.leaf->str() + '"' : std::string("null"));
    body += R"(,"head_position":)" + std::to_string(page.head) + "}";
    return body;
}

Task<Result<Reply>> list_items(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ConversationId>(exchange.request(), 0, "Conversation"));
    CO_TRY(const auto request, parse_item_page(exchange.request()));
    CO_TRY(const auto page, co_await context.store.list_items(user_of(exchange), id, request));
    co_return web::json_reply(render_item_page(page));
}

// Ids that follow from the call's: whoever carries it out again adds nothing.
void name_items(std::vector<store::NewItem>& items, const std::string& call) {
    for (std::size_t i = 0; i < items.size(); ++i) {
        items[i].id = store::derived_item_id(items[i].id.type(), {call, std::to_string(i)});
    }
}

std::string names_of(const std::vector<store::Item>& items) {
    std::string names;
    for (const store::Item& item : items) {
        names += (names.empty() ? "" : " ") + item.id.str();
    }
    return names;
}

Task<Result<Reply>> add_items(Context& context, Exchange& exchange, Once* once) {
    CO_TRY(const auto id, parse_path_id<store::ConversationId>(exchange.request(), 0, "Conversation"));
    CO_TRY(auto object, parse_body(exchange.request()));
    CO_TRY_VOID(co_await take_input_images(context, user_of(exchange), object, "items"));
    const Fields fields(object);
    const json::value* given = fields.any("items");
    if (given == nullptr || !given->is_array() || given->get_array().empty()) {
        co_return base::invalid("items", "'items' is an array of 1 to 20 items.", "invalid_type");
    }
    CO_TRY(auto input, parse_input(*given, "items", kItemsPerCallMax));
    CO_TRY(auto items, co_await resolve_references(context, user_of(exchange), input));
    if (once != nullptr) {
        name_items(items, once->made);
    }
    store::Page<store::Item> added;
    CO_TRY(added.rows, co_await context.store.append_items(user_of(exchange), id, std::move(items)));
    if (once != nullptr) {
        once->made = names_of(added.rows);
    }
    co_return web::json_reply(render_list(added, chat::render_item));
}

// Of a call that was interrupted the name is known, not yet the items: it is safe to carry out again.
Task<Result<std::optional<Reply>>> find_added(Context& context, Exchange& exchange, std::string made) {
    std::vector<store::ItemId> ids;
    std::istringstream names(made);
    for (std::string name; names >> name;) {
        if (const auto id = store::ItemId::parse(name)) {
            ids.push_back(*id);
        }
    }
    if (ids.empty()) {
        co_return std::nullopt;
    }
    store::Page<store::Item> added;
    CO_TRY(added.rows, co_await context.store.find_items(user_of(exchange), std::move(ids), web::kBodyBytesMax));
    co_return web::json_reply(render_list(added, chat::render_item));
}

constexpr RepeatableRoute kAddItems{
    "/v1/conversations/{id}/items",
    [](Context& /*context*/) { return base::to_hex(base::make_uuid_v7()); },
    add_items,
    find_added,
    true
};

Task<Result<Reply>> get_item(Context& context, Exchange& exchange) {
    CO_TRY(const auto path, parse_item_path(exchange.request()));
    CO_TRY(const auto item, co_await context.store.find_item(user_of(exchange), path.conversation, path.item));
    std::string body;
    chat::render_item(body, item);
    co_return web::json_reply(std::move(body));
}

Task<Result<Reply>> delete_item(Context& context, Exchange& exchange) {
    CO_TRY(const auto path, parse_item_path(exchange.request()));
    CO_TRY(
        const auto conversation, co_await context.store.delete_item(user_of(exchange), path.conversation, path.item)
    );
    co_return conversation_reply(conversation);
}

}  // namespace

void add_item_routes(Routes& routes) {
    const std::string root = "/v1/conversations/{id}/items";
    routes.add("GET", root, Access::user, list_items);
    routes.add("POST", root, Access::user, repeatable<kAddItems>, web::kBodyBytesMax);
    routes.add("GET", root + "/{item}", Access::user, get_item);
    routes.add("DELETE", root + "/{item}", Access::user, delete_item);
}

}  // namespace confab::api
