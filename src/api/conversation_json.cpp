#include "api/conversation_json.hpp"

#include "base/json.hpp"
#include "chat/event_json.hpp"

namespace confab::api {

namespace {

void render_last_run(base::JsonWriter& out, const std::optional<store::RunSummary>& run) {
    out.key("last_response");
    if (!run) {
        out.value(nullptr);
        return;
    }
    out.begin_object();
    out.member("id", run->id.str());
    out.member("status", chat::to_string(run->status));
    out.member("model", run->model);
    out.key("error");
    if (run->error_code.empty()) {
        out.value(nullptr);
    } else {
        out.begin_object();
        out.member("code", run->error_code);
        out.member("message", run->error_message);
        out.end_object();
    }
    out.key("incomplete_details");
    if (run->incomplete_reason.empty()) {
        out.value(nullptr);
    } else {
        out.begin_object();
        out.member("reason", run->incomplete_reason);
        out.end_object();
    }
    out.end_object();
}

}  // namespace

void render_conversation(std::string& text, const store::Conversation& conversation) {
    base::JsonWriter out(text);
    out.begin_object();
    out.member("id", conversation.id.str());
    out.member("object", "conversation");
    out.member("created_at", conversation.created_at);
    out.raw_member(
        "metadata", conversation.metadata.empty() ? std::string_view("{}") : std::string_view(conversation.metadata)
    );
    out.member_or_null("title", conversation.title);
    out.member("updated_at", conversation.updated_at);
    out.member_or_null("model", conversation.model);
    out.member_or_null("instructions", conversation.instructions);
    out.member("pinned", conversation.pinned);
    out.member("archived", conversation.archived);
    out.member_or_null("folder_id", conversation.folder ? conversation.folder->str() : std::string());
    out.key("tags");
    out.begin_array();
    for (const std::string& tag : conversation.tags) {
        out.value(tag);
    }
    out.end_array();
    out.key("deleted_at");
    if (conversation.trashed_at) {
        out.value(*conversation.trashed_at);
    } else {
        out.value(nullptr);
    }
    out.member_or_null(
        "compaction",
        conversation.compaction == store::Compaction::automatic ? "auto"
        : conversation.compaction == store::Compaction::off     ? "off"
                                                                : ""
    );
    out.member_or_null("head_item_id", conversation.head ? conversation.head->str() : std::string());
    out.member_or_null("active_response_id", conversation.active_run ? conversation.active_run->str() : std::string());
    render_last_run(out, conversation.last_run);
    out.end_object();
}

Reply conversation_reply(const store::Conversation& conversation) {
    std::string body;
    render_conversation(body, conversation);
    return web::json_reply(std::move(body));
}

}  // namespace confab::api
