// The route table, one function per resource. Each file of this layer is one resource: parse -> authorise -> service -> render.
#pragma once

#include "api/context.hpp"

namespace confab::api {

void add_account_routes(web::Router& router, Context& context);
void add_key_routes(web::Router& router, Context& context);
void add_model_routes(web::Router& router, Context& context);
void add_upstream_routes(web::Router& router, Context& context);
void add_conversation_routes(web::Router& router, Context& context);
void add_item_routes(web::Router& router, Context& context);
void add_response_routes(web::Router& router, Context& context);
void add_chat_completion_routes(web::Router& router, Context& context);
void add_operation_routes(web::Router& router, Context& context);
void add_page_routes(web::Router& router);

inline void add_all_routes(web::Router& router, Context& context) {
    add_account_routes(router, context);
    add_key_routes(router, context);
    add_model_routes(router, context);
    add_upstream_routes(router, context);
    add_conversation_routes(router, context);
    add_item_routes(router, context);
    add_response_routes(router, context);
    add_chat_completion_routes(router, context);
    add_operation_routes(router, context);
    add_page_routes(router);
}

using HandlerFunction = Task<Result<Reply>> (*)(Context&, Exchange&);

inline void add_route(
    web::Router& router,
    Context& context,
    std::string method,
    std::string pattern,
    web::Access access,
    HandlerFunction function,
    std::uint64_t body_bytes_max = web::kSmallBodyBytesMax
) {
    web::Route route;
    route.method = std::move(method);
    route.pattern = std::move(pattern);
    route.access = access;
    route.body_bytes_max = body_bytes_max;
    route.handler = [&context, function](Exchange& exchange) { return function(context, exchange); };
    router.add(std::move(route));
}

}  // namespace confab::api
