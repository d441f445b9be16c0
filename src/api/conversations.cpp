// /v1/conversations and /api/conversations.
#include "api/conversation_json.hpp"
#include "api/idempotency.hpp"
#include "api/input.hpp"
#include "api/input_images.hpp"
#include "api/organise_fields.hpp"
#include "api/routes.hpp"
#include "base/text.hpp"

namespace confab::api {

namespace {

using web::Access;

constexpr std::size_t kTitleBytesMax = 500;
constexpr std::size_t kKeptInstructionsBytesMax = 60 * 1024;

Task<Result<Reply>> list_conversations(Context& context, Exchange& exchange) {
    CO_TRY(const auto page, parse_page<store::ConversationId>(exchange.request()));
    CO_TRY(auto filter, parse_filter(exchange.request()));
    CO_TRY(const auto found, co_await context.store.list_filtered(user_of(exchange), std::move(filter), page));
    co_return web::json_reply(render_list(found, render_conversation));
}

store::ConversationId named_in(const Once* once) {
    return once == nullptr ? store::ConversationId::make() : *store::ConversationId::parse(once->made);
}

Task<Result<Reply>> create_conversation(Context& context, Exchange& exchange, Once* once) {
    CO_TRY(auto object, parse_body(exchange.request()));
    CO_TRY_VOID(co_await take_input_images(context, user_of(exchange), object, "items"));
    const Fields fields(object);
    store::NewConversation conversation;
    conversation.id = named_in(once);
    conversation.user = user_of(exchange);
    CO_TRY(const auto title, fields.text("title", kTitleBytesMax));
    conversation.title = base::trim(title.value_or(std::string()));
    CO_TRY(const auto model, fields.text("model", kModelBytesMax));
    conversation.model = model.value_or(std::string());
    CO_TRY(const auto instructions, fields.text("instructions", kKeptInstructionsBytesMax));
    conversation.instructions = instructions.value_or(std::string());
    CO_TRY(const auto metadata, parse_metadata(fields));
    conversation.metadata = metadata.value_or("{}");
    CO_TRY(const json::array* items, fields.array("items"));
    Input input;
    if (items != nullptr) {
        CO_TRY(input, parse_input(*fields.any("items"), "items", kItemsPerCallMax));
        CO_TRY(conversation.items, co_await resolve_references(context, conversation.user, input));
    }
    CO_TRY(const auto created, co_await context.store.create_conversation(std::move(conversation)));
    co_return conversation_reply(created);
}

Task<Result<std::optional<Reply>>> find_created(Context& context, Exchange& exchange, std::string made) {
    const auto found = co_await context.store.find_conversation(user_of(exchange), *store::ConversationId::parse(made));
    if (found) {
        co_return conversation_reply(*found);
    }
    if (found.error().errc == base::Errc::not_found) {
        co_return std::nullopt;
    }
    co_return std::unexpected(found.error());
}

constexpr RepeatableRoute kCreateConversation{
    "/v1/conversations",
    [](Context& /*context*/) { return store::ConversationId::make().str(); },
    create_conversation,
    find_created
};

Task<Result<Reply>> get_conversation(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ConversationId>(exchange.request(), 0, "Conversation"));
    CO_TRY(const auto conversation, co_await context.store.find_conversation(user_of(exchange), id));
    co_return conversation_reply(conversation);
}

Task<Result<Reply>> update_metadata(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ConversationId>(exchange.request(), 0, "Conversation"));
    CO_TRY(const auto object, parse_body(exchange.request()));
    const Fields fields(object);
    store::ConversationPatch patch;
    CO_TRY(patch.metadata, parse_metadata(fields));
    if (!patch.metadata) {
        co_return base::invalid("metadata", "Missing required parameter: 'metadata'.", "missing_required_parameter");
    }
    CO_TRY(
        const auto conversation, co_await context.store.update_conversation(user_of(exchange), id, std::move(patch))
    );
    co_return conversation_reply(conversation);
}

// null: as the server's setting says.
Result<std::optional<store::Compaction>> parse_compaction(const json::object& body) {
    const json::value* value = base::find(body, "compaction");
    if (value == nullptr) {
        return std::nullopt;
    }
    if (value->is_null() || (value->is_string() && value->get_string().empty())) {
        return store::Compaction::inherit;
    }
    TRY(const auto text, Fields(body).text("compaction"));
    if (*text != "auto" && *text != "off") {
        return base::invalid("compaction", "compaction is 'auto', 'off' or null.");
    }
    return *text == "auto" ? store::Compaction::automatic : store::Compaction::off;
}

Task<Result<Reply>> patch_conversation(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ConversationId>(exchange.request(), 0, "Conversation"));
    CO_TRY(const auto object, parse_body(exchange.request()));
    const Fields fields(object);
    store::ConversationPatch patch;
    CO_TRY(patch.title, fields.text("title", kTitleBytesMax));
    CO_TRY(patch.model, fields.text("model", kModelBytesMax));
    CO_TRY(patch.instructions, fields.text("instructions", kKeptInstructionsBytesMax));
    CO_TRY(patch.pinned, fields.boolean("pinned"));
    CO_TRY(patch.archived, fields.boolean("archived"));
    CO_TRY(patch.compaction, parse_compaction(object));
    CO_TRY(patch.metadata, parse_metadata(fields));
    CO_TRY(patch.folder, parse_folder_id(fields));
    CO_TRY(patch.tags, parse_tags(fields));
    CO_TRY(
        const auto conversation, co_await context.store.update_conversation(user_of(exchange), id, std::move(patch))
    );
    co_return conversation_reply(conversation);
}

Task<Result<Reply>> delete_conversation(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ConversationId>(exchange.request(), 0, "Conversation"));
    CO_TRY(const auto running, co_await context.store.delete_conversation(user_of(exchange), id));
    if (running) {
        co_await context.directory.cancel(user_of(exchange), *running);
    }
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("id", id.str());
    out.member("object", "conversation.deleted");
    out.member("deleted", true);
    out.end_object();
    co_return web::json_reply(std::move(body));
}

}  // namespace

void add_conversation_routes(Routes& routes) {
    for (const std::string root : {"/v1/conversations", "/api/conversations"}) {
        routes.add("GET", root, Access::user, list_conversations);
        routes.add("GET", root + "/{id}", Access::user, get_conversation);
        routes.add("DELETE", root + "/{id}", Access::user, delete_conversation);
    }
    routes.add("POST", "/v1/conversations", Access::user, repeatable<kCreateConversation>, web::kBodyBytesMax);
    routes.add("POST", "/v1/conversations/{id}", Access::user, update_metadata);
    routes.add("PATCH", "/api/conversations/{id}", Access::user, patch_conversation, 2 * kKeptInstructionsBytesMax);
}

}  // namespace confab::api
