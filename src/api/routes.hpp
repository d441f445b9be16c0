// The route table, one function per resource. Each file of this layer is one resource: parse -> authorise -> service ->
// render.
#pragma once

#include "api/audit_trail.hpp"
#include "api/context.hpp"

namespace confab::api {

using HandlerFunction = Task<Result<Reply>> (*)(Context&, Exchange&);

// The table being filled.
class Routes {
public:
    // Without a context it is a table to look at: nothing in it can be called.
    Routes(web::Router& router, Context* context) : router_(router), context_(context) {}

    // What the route costs under pressure may be set in what is returned.
    web::Route& add(
        std::string method,
        std::string pattern,
        web::Access access,
        HandlerFunction function,
        std::uint64_t body_bytes_max = web::kSmallBodyBytesMax
    ) {
        return router_.add(make(std::move(method), std::move(pattern), access, function, body_bytes_max));
    }

    // The same for what the audit log knows as `kind`, one of store::kAuditKinds.
    web::Route& add_audited(
        std::string method,
        std::string pattern,
        web::Access access,
        HandlerFunction function,
        std::string_view kind
    ) {
        web::Route route = make(std::move(method), std::move(pattern), access, function, web::kSmallBodyBytesMax);
        route.audit_kind = kind;
        if (context_ != nullptr) {
            route.handler = [&context = *context_, function, kind](Exchange& exchange) {
                return audited(context, exchange, function, kind);
            };
        }
        return router_.add(std::move(route));
    }

    // The same for a route that asks a model: the caller's limits count it.
    web::Route& add_answering(
        std::string method,
        std::string pattern,
        web::Access access,
        HandlerFunction function,
        std::uint64_t body_bytes_max
    ) {
        web::Route route = make(std::move(method), std::move(pattern), access, function, body_bytes_max);
        route.makes_answer = true;
        return router_.add(std::move(route));
    }

    // The handler reads the body itself; a larger one is refused with `too_large_code`.
    web::Route& add_streaming(
        std::string method,
        std::string pattern,
        web::Access access,
        HandlerFunction function,
        std::uint64_t body_bytes_max,
        std::string_view too_large_code
    ) {
        web::Route route = make(std::move(method), std::move(pattern), access, function, body_bytes_max);
        route.body_mode = web::BodyMode::streamed;
        route.too_large_code = too_large_code;
        return router_.add(std::move(route));
    }

private:
    web::Route make(
        std::string method,
        std::string pattern,
        web::Access access,
        HandlerFunction function,
        std::uint64_t body_bytes_max
    ) {
        web::Route route;
        route.method = std::move(method);
        route.pattern = std::move(pattern);
        route.access = access;
        route.body_bytes_max = body_bytes_max;
        if (context_ != nullptr) {
            route.handler = [&context = *context_, function](Exchange& exchange) { return function(context, exchange); };
        }
        return route;
    }

    web::Router& router_;
    Context* const context_;
};

// Who may call a route has no default.
template <class Table>
concept AddsWithoutAccess = requires(Table table, HandlerFunction function) { table.add("GET", "/", function); };
static_assert(!AddsWithoutAccess<Routes>);

void add_account_routes(Routes& routes);
void add_sign_up_routes(Routes& routes);
void add_openid_routes(Routes& routes);
void add_people_routes(Routes& routes);
void add_key_routes(Routes& routes);
void add_usage_routes(Routes& routes);
void add_health_routes(Routes& routes);
void add_price_routes(Routes& routes);
void add_model_access_routes(Routes& routes);
void add_limit_routes(Routes& routes);
void add_model_routes(Routes& routes);
void add_upstream_routes(Routes& routes);
void add_conversation_routes(Routes& routes);
void add_context_routes(Routes& routes);
void add_branch_routes(Routes& routes);
void add_item_routes(Routes& routes);
void add_response_routes(Routes& routes);
void add_chat_completion_routes(Routes& routes);
void add_search_routes(Routes& routes);
void add_file_routes(Routes& routes);
void add_export_routes(Routes& routes);
void add_import_routes(Routes& routes);
void add_operation_routes(Routes& routes);
void add_resource_routes(Routes& routes);
void add_organise_routes(Routes& routes);
void add_settings_routes(Routes& routes);
void add_audit_routes(Routes& routes);
void add_share_routes(Routes& routes);
void add_shared_routes(Routes& routes);
void add_page_routes(Routes& routes);

inline void add_all_routes(web::Router& router, Context* context) {
    Routes routes(router, context);
    add_account_routes(routes);
    add_sign_up_routes(routes);
    add_openid_routes(routes);
    add_people_routes(routes);
    add_key_routes(routes);
    add_usage_routes(routes);
    add_health_routes(routes);
    add_price_routes(routes);
    add_model_access_routes(routes);
    add_limit_routes(routes);
    add_model_routes(routes);
    add_upstream_routes(routes);
    add_conversation_routes(routes);
    add_context_routes(routes);
    add_branch_routes(routes);
    add_item_routes(routes);
    add_response_routes(routes);
    add_chat_completion_routes(routes);
    add_search_routes(routes);
    add_file_routes(routes);
    add_organise_routes(routes);
    add_settings_routes(routes);
    add_export_routes(routes);
    add_import_routes(routes);
    add_operation_routes(routes);
    add_resource_routes(routes);
    add_audit_routes(routes);
    add_share_routes(routes);
    add_shared_routes(routes);
    add_page_routes(routes);
}

}  // namespace confab::api
