// /v1/conversations/{id}/items: the messages of a conversation, page by page.
#include "api/conversation_json.hpp"
#include "api/input.hpp"
#include "api/input_images.hpp"
#include "api/routes.hpp"
#include "chat/item_json.hpp"

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

Task<Result<Reply>> list_items(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ConversationId>(exchange.request(), 0, "Conversation"));
    CO_TRY(const auto page, parse_page<store::ItemId>(exchange.request()));
    CO_TRY(const auto items, co_await context.store.list_items(user_of(exchange), id, page));
    co_return web::json_reply(render_list(items, chat::render_item));
}

Task<Result<Reply>> add_items(Context& context, Exchange& exchange) {
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
    store::Page<store::Item> added;
    CO_TRY(added.rows, co_await context.store.append_items(user_of(exchange), id, std::move(items)));
    co_return web::json_reply(render_list(added, chat::render_item));
}

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
    routes.add("POST", root, Access::user, add_items, web::kBodyBytesMax);
    routes.add("GET", root + "/{item}", Access::user, get_item);
    routes.add("DELETE", root + "/{item}", Access::user, delete_item);
}

}  // namespace confab::api
