// GET /api/conversations/{id}/context: what a model still sees of a conversation.
#include "api/body.hpp"
#include "api/routes.hpp"
#include "chat/prompt_budget.hpp"
#include "llm/token_estimate.hpp"

namespace confab::api {

namespace {

// The one asked about, or the conversation's, or that of its newest answer, or the default.
Result<std::string> model_of(
    const web::Request& request,
    const store::Conversation& conversation,
    const llm::Catalog& catalog
) {
    const auto asked = request.query_value("model");
    if (asked && asked->size() > kModelBytesMax) {
        return base::invalid("model", "This is not the name of a model.");
    }
    if (asked && !asked->empty()) {
        return std::string(*asked);
    }
    if (!conversation.model.empty()) {
        return conversation.model;
    }
    if (conversation.last_run) {
        return conversation.last_run->model;
    }
    return catalog.default_model();
}

void render_summary(
    base::JsonWriter& out,
    const store::Summary& summary,
    const std::optional<store::ItemId>& item,
    const chat::PromptBudget& budget
) {
    out.begin_object();
    out.member_or_null("upto_item_id", item ? item->str() : std::string());
    out.member("upto_position", summary.upto);
    out.member("tokens", budget.counted(summary.tokens));
    out.member("text", summary.text);
    out.member("created_at", summary.created_at);
    out.end_object();
}

std::string render_context(const std::string& model, const chat::PromptBudget& budget, const store::ContextView& view) {
    const store::PromptPlan& plan = view.prompt.plan;
    const std::int64_t used = plan.tokens + (view.prompt.summary ? view.prompt.summary->tokens : 0);
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("model", model);
    out.member("context_tokens", budget.window.tokens);
    out.member("budget_tokens", budget.counted(budget.tokens_max));
    out.member("used_tokens", budget.counted(used));
    out.member_or_null("first_item_id", view.first_item ? view.first_item->str() : std::string());
    out.member("first_position", plan.anchor);
    out.member("head_position", plan.head);
    out.key("summary");
    if (view.prompt.summary) {
        render_summary(out, *view.prompt.summary, view.summary_item, budget);
    } else {
        out.value(nullptr);
    }
    out.member("compaction", view.compaction ? "auto" : "off");
    out.end_object();
    return body;
}

Task<Result<Reply>> get_context(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ConversationId>(exchange.request(), 0, "Conversation"));
    CO_TRY(const auto conversation, co_await context.store.find_conversation(user_of(exchange), id));
    const auto catalog = context.upstreams.snapshot();
    CO_TRY(const std::string model, model_of(exchange.request(), conversation, *catalog));
    const llm::ChatRequest parameters;
    const chat::PromptParts parts{parameters, conversation.instructions, {}};
    const auto budget = chat::make_prompt_budget(*catalog, &context.calibration, model, parts);
    // The instructions are in the budget already.
    CO_TRY(const auto view, co_await context.store.view_context(user_of(exchange), id, budget.tokens_max));
    co_return web::json_reply(render_context(model, budget, view));
}

}  // namespace

void add_context_routes(Routes& routes) {
    routes.add("GET", "/api/conversations/{id}/context", web::Access::user, get_context);
}

}  // namespace confab::api
