// GET /api/conversations/{id}/context: what a model still sees of a conversation.
#include "api/body.hpp"
#include "api/routes.hpp"
#include "chat/prompt_budget.hpp"
#include "llm/token_estimate.hpp"

namespace confab::api {

namespace {

// The conversation's, or that of its newest answer; may be empty.
std::string remembered_model(const store::Conversation& conversation) {
    const bool answered = conversation.model.empty() && conversation.last_run;
    return answered ? conversation.last_run->model : conversation.model;
}

// The one asked about, or the remembered one, or the default.
Task<Result<std::string>> model_of(Context& context, const web::Request& request, const store::Conversation& conversation) {
    const auto asked = request.query_value("model");
    if (asked && asked->size() > kModelBytesMax) {
        co_return base::invalid("model", "This is not the name of a model.");
    }
    const bool is_asked = asked && !asked->empty();
    std::string model = is_asked ? std::string(*asked) : remembered_model(conversation);
    bool known = false;
    if (!model.empty()) {
        known = co_await knows_model(context, request, model);
    }
    if (is_asked && !known) {
        co_return unknown_model(model);
    }
    if (!known) {
        CO_TRY(model, co_await default_model_of(context, request, context.upstreams.snapshot()));
    }
    co_return model;
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
    CO_TRY(const std::string model, co_await model_of(context, exchange.request(), conversation));
    const auto catalog = context.upstreams.snapshot();
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
