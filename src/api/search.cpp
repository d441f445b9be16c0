// /api/search: messages and titles of the caller.
#include "api/body.hpp"
#include "api/routes.hpp"
#include "chat/item_json.hpp"
#include "store/search_query.hpp"

namespace confab::api {

namespace {

using web::Access;

Result<store::SearchRequest> parse_search(const web::Request& request) {
    const auto text = request.query_value("q");
    if (!text) {
        return base::invalid("q", "Missing required parameter: 'q'.", "missing_required_parameter");
    }
    if (text->size() > store::kQueryBytesMax) {
        return base::invalid("q", "q has at most 1,000 bytes.", "query_too_long");
    }
    store::SearchRequest search;
    search.query = store::parse_search_query(*text);
    const auto order = request.query_value("order");
    if (order && *order != "newest" && *order != "relevance") {
        return base::invalid("order", "order is 'newest' or 'relevance'.");
    }
    search.order = order == "relevance" ? store::SearchOrder::relevance : store::SearchOrder::newest;
    search.cursor = request.query_value("after").value_or("");
    if (const auto limit = request.query_value("limit")) {
        const auto [end, ec] = std::from_chars(limit->data(), limit->data() + limit->size(), search.limit);
        if (ec != std::errc{} || end != limit->data() + limit->size() || search.limit < 1 ||
            search.limit > kPageRowsMax) {
            return base::invalid("limit", "limit is a number from 1 to 100.");
        }
    }
    return search;
}

void render_hit(base::JsonWriter& out, const store::SearchHit& hit) {
    out.begin_object();
    out.member("conversation_id", hit.conversation.str());
    out.member_or_null("conversation_title", hit.title);
    out.member_or_null("item_id", hit.item ? hit.item->str() : std::string());
    out.member_or_null("role", hit.item ? std::string(chat::to_string(hit.role)) : std::string());
    out.member_or_null("model", hit.model);
    out.member("created_at", hit.created_at);
    out.key("snippet");
    out.begin_array();
    for (const store::SnippetPart& part : hit.snippet) {
        out.begin_object();
        out.member("text", part.text);
        out.member("hit", part.hit);
        out.end_object();
    }
    out.end_array();
    out.member("score", hit.score);
    out.end_object();
}

Task<Result<Reply>> search(Context& context, Exchange& exchange) {
    CO_TRY(auto request, parse_search(exchange.request()));
    CO_TRY(const auto page, co_await context.store.search(user_of(exchange), std::move(request)));
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "list");
    out.key("data");
    out.begin_array();
    for (const store::SearchHit& hit : page.hits) {
        render_hit(out, hit);
    }
    out.end_array();
    out.member("has_more", !page.next.empty());
    out.member_or_null("next", page.next);
    out.member("pending", page.pending);
    out.end_object();
    co_return web::json_reply(std::move(body));
}

}  // namespace

void add_search_routes(Routes& routes) {
    routes.add("GET", "/api/search", Access::user, search).load = web::Load::background;
}

}  // namespace confab::api
