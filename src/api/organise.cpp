// Folders, tags, the trash, and changes to many conversations: /api/folders, /api/tags, /api/conversations/...
#include <algorithm>
#include <array>

#include "api/conversation_json.hpp"
#include "api/organise_fields.hpp"
#include "api/routes.hpp"
#include "store/organise_names.hpp"

namespace confab::api {

namespace {

using web::Access;

constexpr std::size_t kBulkIdsMax = 100;
constexpr std::size_t kBulkFailuresMax = 100;  // named in one answer

// ---- folders ----

void render_folder(base::JsonWriter& out, const store::Folder& folder) {
    out.begin_object();
    out.member("id", folder.id.str());
    out.member("object", "folder");
    out.member("name", folder.name);
    out.member("created_at", folder.created_at);
    out.member("conversations", folder.conversations);
    out.end_object();
}

Reply folder_reply(const store::Folder& folder, unsigned status = 200) {
    std::string body;
    base::JsonWriter out(body);
    render_folder(out, folder);
    return web::json_reply(std::move(body), status);
}

template <class Rows, class Render>
Reply whole_list(const Rows& rows, Render render) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "list");
    out.key("data");
    out.begin_array();
    for (const auto& row : rows) {
        render(out, row);
    }
    out.end_array();
    out.member("has_more", false);
    out.end_object();
    return web::json_reply(std::move(body));
}

Result<std::string> parse_folder_name(const Fields& fields) {
    TRY(const auto given, fields.required_text("name", store::kFolderNameBytesMax));
    return store::normalise_folder_name(given);
}

Task<Result<Reply>> list_folders(Context& context, Exchange& exchange) {
    CO_TRY(const auto folders, co_await context.store.list_folders(user_of(exchange)));
    co_return whole_list(folders, render_folder);
}

Task<Result<Reply>> create_folder(Context& context, Exchange& exchange) {
    CO_TRY(const auto object, parse_body(exchange.request()));
    CO_TRY(auto name, parse_folder_name(Fields(object)));
    CO_TRY(const auto folder, co_await context.store.create_folder(user_of(exchange), std::move(name)));
    co_return folder_reply(folder, 201);
}

Task<Result<Reply>> rename_folder(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::FolderId>(exchange.request(), 0, "Folder"));
    CO_TRY(const auto object, parse_body(exchange.request()));
    CO_TRY(auto name, parse_folder_name(Fields(object)));
    CO_TRY(const auto folder, co_await context.store.rename_folder(user_of(exchange), id, std::move(name)));
    co_return folder_reply(folder);
}

Task<Result<Reply>> delete_folder(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::FolderId>(exchange.request(), 0, "Folder"));
    CO_TRY_VOID(co_await context.store.delete_folder(user_of(exchange), id));
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("id", id.str());
    out.member("object", "folder.deleted");
    out.member("deleted", true);
    out.end_object();
    co_return web::json_reply(std::move(body));
}

// ---- tags ----

void render_tag(base::JsonWriter& out, const store::TagCount& tag) {
    out.begin_object();
    out.member("name", tag.name);
    out.member("conversations", tag.conversations);
    out.end_object();
}

Task<Result<Reply>> list_tags(Context& context, Exchange& exchange) {
    CO_TRY(const auto tags, co_await context.store.list_tags(user_of(exchange)));
    co_return whole_list(tags, render_tag);
}

// ---- the trash ----

Task<Result<Reply>> set_trashed(Context& context, Exchange& exchange, bool trashed) {
    CO_TRY(const auto id, parse_path_id<store::ConversationId>(exchange.request(), 0, "Conversation"));
    CO_TRY(const auto conversation, co_await context.store.set_trashed(user_of(exchange), id, trashed));
    co_return conversation_reply(conversation);
}

Task<Result<Reply>> trash_conversation(Context& context, Exchange& exchange) {
    return set_trashed(context, exchange, true);
}

Task<Result<Reply>> restore_conversation(Context& context, Exchange& exchange) {
    return set_trashed(context, exchange, false);
}

// ---- many at once ----

struct BulkRequest {
    std::vector<store::ConversationId> ids;
    bool all = false;
    store::ConversationFilter filter;  // with `all`
    store::BulkChange change;
};

Result<store::BulkAction> parse_action(const Fields& fields) {
    using store::BulkAction;
    constexpr std::array kNames{
        std::pair("trash", BulkAction::trash),
        std::pair("restore", BulkAction::restore),
        std::pair("delete", BulkAction::remove),
        std::pair("archive", BulkAction::archive),
        std::pair("unarchive", BulkAction::unarchive),
        std::pair("move", BulkAction::move),
        std::pair("tag", BulkAction::tag),
        std::pair("untag", BulkAction::untag)
    };
    TRY(const auto text, fields.required_text("action"));
    for (const auto& [name, action] : kNames) {
        if (text == name) {
            return action;
        }
    }
    return base::invalid(
        "action", "action is 'trash', 'restore', 'delete', 'archive', 'unarchive', 'move', 'tag' or 'untag'."
    );
}

Result<store::BulkChange> parse_change(const Fields& fields) {
    store::BulkChange change;
    TRY(change.action, parse_action(fields));
    TRY(const auto folder, parse_folder_id(fields));
    if (change.action == store::BulkAction::move) {
        if (!folder) {
            return base::invalid(
                "folder_id", "Missing required parameter: 'folder_id'.", "missing_required_parameter"
            );
        }
        change.folder = *folder;
    }
    if (change.action == store::BulkAction::tag || change.action == store::BulkAction::untag) {
        TRY(const auto tag, fields.required_text("tag"));
        TRY(change.tag, store::normalise_tag(tag, "tag"));
    }
    return change;
}

base::Status parse_ids(const json::array& ids, BulkRequest& request) {
    if (ids.empty() || ids.size() > kBulkIdsMax) {
        return base::invalid("ids", "'ids' is an array of 1 to " + std::to_string(kBulkIdsMax) + " ids.");
    }
    for (const json::value& one : ids) {
        const auto id = one.is_string() ? store::ConversationId::parse({one.get_string().data(), one.get_string().size()})
                                        : std::nullopt;
        if (!id) {
            return base::invalid("ids", "'ids' is an array of conversations' ids.");
        }
        request.ids.push_back(*id);
    }
    return {};
}

Result<BulkRequest> parse_bulk(const json::object& object) {
    const Fields fields(object);
    BulkRequest request;
    TRY(request.change, parse_change(fields));
    TRY(const json::array* ids, fields.array("ids"));
    TRY(const auto all, fields.boolean("all"));
    request.all = all.value_or(false);
    if ((ids != nullptr) == request.all) {
        return base::invalid("ids", "Give either 'ids' or 'all': true.");
    }
    if (ids != nullptr) {
        TRY_VOID(parse_ids(*ids, request));
        return request;
    }
    TRY(request.filter, parse_filter(fields));
    TRY(const auto tag, fields.text("tag"));
    // With `tag` and `untag` it says what to do; what has the tag is then all that can lose it.
    if (tag && request.change.action != store::BulkAction::tag) {
        TRY(request.filter.tag, store::normalise_tag(*tag, "tag"));
    }
    return request;
}

void add(store::BulkStep& sum, store::BulkStep step) {
    sum.done += step.done;
    for (store::BulkFailure& failure : step.failed) {
        if (sum.failed.size() < kBulkFailuresMax) {
            sum.failed.push_back(std::move(failure));
        }
    }
}

// The answers under way in what was deleted are broken off; nothing of them is kept.
Task<void> cancel_all(Context& context, store::UserNo user, std::vector<store::ResponseId> running) {
    for (const store::ResponseId& id : running) {
        co_await context.directory.cancel(user, id);
    }
}

Task<Result<store::BulkStep>> change_ids(Context& context, store::UserNo user, const BulkRequest& request) {
    const std::size_t step_max = request.change.action == store::BulkAction::remove ? store::kBulkStepDeletes
                                                                                    : store::kBulkStepConversations;
    store::BulkStep sum;
    for (std::size_t first = 0; first < request.ids.size(); first += step_max) {
        const auto begin = request.ids.begin() + static_cast<std::ptrdiff_t>(first);
        const auto count = static_cast<std::ptrdiff_t>(std::min(step_max, request.ids.size() - first));
        std::vector<store::ConversationId> some(begin, begin + count);
        CO_TRY(auto step, co_await context.store.change_some(user, std::move(some), request.change));
        co_await cancel_all(context, user, step.running);
        add(sum, std::move(step));
    }
    co_return sum;
}

Task<Result<store::BulkStep>> change_all(Context& context, store::UserNo user, const BulkRequest& request) {
    store::BulkStep sum;
    std::optional<store::ListPlace> from;
    do {
        CO_TRY(auto step, co_await context.store.change_next(user, request.filter, from, request.change));
        from = step.next;
        co_await cancel_all(context, user, step.running);
        add(sum, std::move(step));
    } while (from);
    co_return sum;
}

Task<Result<Reply>> change_many(Context& context, Exchange& exchange) {
    CO_TRY(const auto object, parse_body(exchange.request()));
    CO_TRY(const BulkRequest request, parse_bulk(object));
    const store::UserNo user = user_of(exchange);
    auto changing = request.all ? change_all(context, user, request) : change_ids(context, user, request);
    CO_TRY(const auto sum, co_await std::move(changing));
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("done", static_cast<std::int64_t>(sum.done));
    out.key("failed");
    out.begin_array();
    for (const store::BulkFailure& failure : sum.failed) {
        out.begin_object();
        out.member("id", failure.id.str());
        out.member("code", failure.code);
        out.member("message", failure.message);
        out.end_object();
    }
    out.end_array();
    out.end_object();
    co_return web::json_reply(std::move(body));
}

}  // namespace

void add_organise_routes(Routes& routes) {
    routes.add("GET", "/api/folders", Access::user, list_folders);
    routes.add("POST", "/api/folders", Access::user, create_folder);
    routes.add("PATCH", "/api/folders/{id}", Access::user, rename_folder);
    routes.add("DELETE", "/api/folders/{id}", Access::user, delete_folder);
    routes.add("GET", "/api/tags", Access::user, list_tags);
    routes.add("POST", "/api/conversations/bulk", Access::user, change_many);
    routes.add("POST", "/api/conversations/{id}/trash", Access::user, trash_conversation);
    routes.add("POST", "/api/conversations/{id}/restore", Access::user, restore_conversation);
}

}  // namespace confab::api
