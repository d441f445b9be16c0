// /healthz, /readyz, /metrics: for whoever runs the server.
#include "api/metrics.hpp"
#include "api/routes.hpp"

namespace confab::api {

namespace {

using web::Access;

Task<Result<Reply>> get_health(Context& /*context*/, Exchange& /*exchange*/) {
    co_return web::json_reply(R"({"status":"ok"})");
}

Task<Result<Reply>> get_readiness(Context& context, Exchange& /*exchange*/) {
    if (context.draining.load(std::memory_order_relaxed)) {
        co_return base::fail(base::Errc::unavailable, "The server is shutting down.", "shutting_down");
    }
    CO_TRY_VOID(co_await context.store.ping());
    co_return web::json_reply(R"({"status":"ready"})");
}

Task<Result<Reply>> get_metrics(Context& context, Exchange& exchange) {
    const web::Request& request = exchange.request();
    const bool proxied = request.has_header("x-forwarded-for") || request.has_header("forwarded");
    if (!request.remote_is_loopback || proxied) {
        co_return base::fail(base::Errc::forbidden, "Metrics are only shown to this machine.", "loopback_only");
    }
    Reply reply;
    reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
    reply.body = render_metrics(context.meters);
    co_return reply;
}

}  // namespace

void add_operation_routes(Routes& routes) {
    routes.add("GET", "/healthz", Access::open, get_health).load = web::Load::essential;
    routes.add("GET", "/readyz", Access::open, get_readiness).load = web::Load::essential;
    routes.add("GET", "/metrics", Access::open, get_metrics).load = web::Load::essential;
}

}  // namespace confab::api
