// /api/conversations/{id}/head, /tree and /fork: the branches of a conversation.
#include "api/body.hpp"
#include "api/conversation_json.hpp"
#include "api/routes.hpp"
#include "chat/item_json.hpp"

namespace confab::api {

namespace {

using web::Access;

std::unexpected<base::Error> no_such_item() {
    return base::not_found("There is no such item in this conversation.", "item_not_found", "item_id");
}

Task<Result<Reply>> set_head(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ConversationId>(exchange.request(), 0, "Conversation"));
    CO_TRY(const auto object, parse_body(exchange.request()));
    const Fields fields(object);
    if (!fields.has("item_id")) {
        co_return base::invalid("item_id", "Missing required parameter: 'item_id'.", "missing_required_parameter");
    }
    CO_TRY(const auto text, fields.text("item_id"));
    CO_TRY(const auto descend, fields.boolean("descend"));
    std::optional<store::ItemId> item;
    if (text) {
        item = store::ItemId::parse(*text);
        if (!item) {
            co_return no_such_item();
        }
    }
    const auto mode = descend.value_or(false) ? store::Descend::yes : store::Descend::no;
    CO_TRY(const auto conversation, co_await context.store.set_head(user_of(exchange), id, item, mode));
    co_return conversation_reply(conversation);
}

void render_tree_item(std::string& text, const store::TreeItem& item) {
    base::JsonWriter out(text);
    out.begin_object();
    out.member("id", item.id.str());
    out.member("type", chat::to_string(item.id.type()));
    out.member_or_null("parent_id", item.parent ? item.parent->str() : std::string());
    out.member_or_null("response_id", item.response ? item.response->str() : std::string());
    out.member("role", chat::to_string(item.role));
    out.member("created_at", item.created_at);
    out.end_object();
}

Task<Result<Reply>> list_tree(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ConversationId>(exchange.request(), 0, "Conversation"));
    CO_TRY(const auto page, parse_page<store::ItemId>(exchange.request(), store::Order::ascending));
    if (page.order == store::Order::descending) {
        co_return base::invalid("order", "A tree is listed from its beginning.");
    }
    CO_TRY(const auto found, co_await context.store.list_tree(user_of(exchange), id, page));
    co_return web::json_reply(render_list(found, render_tree_item));
}

Task<Result<Reply>> fork(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ConversationId>(exchange.request(), 0, "Conversation"));
    CO_TRY(const auto object, parse_body(exchange.request()));
    CO_TRY(const auto text, Fields(object).required_text("item_id"));
    const auto item = store::ItemId::parse(text);
    if (!item) {
        co_return no_such_item();
    }
    CO_TRY(const auto conversation, co_await context.store.fork_conversation(user_of(exchange), id, *item));
    Reply reply = conversation_reply(conversation);
    reply.status = 201;
    co_return reply;
}

}  // namespace

void add_branch_routes(Routes& routes) {
    const std::string root = "/api/conversations/{id}";
    routes.add("PUT", root + "/head", Access::user, set_head);
    routes.add("GET", root + "/tree", Access::user, list_tree);
    routes.add("POST", root + "/fork", Access::user, fork).load = web::Load::background;
}

}  // namespace confab::api
