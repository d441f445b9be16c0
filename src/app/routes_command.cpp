#include "app/routes_command.hpp"

#include <fmt/format.h>

#include "api/routes.hpp"
#include "base/json.hpp"

namespace confab::app {

namespace {

using web::Access;

std::string_view name_of(Access access) {
    switch (access) {
        case Access::open: return "open";
        case Access::user: return "user";
        case Access::cookie_user: return "cookie_user";
        case Access::admin: break;
    }
    return "admin";
}

std::string_view name_of(web::BodyMode mode) {
    return mode == web::BodyMode::streamed ? "streamed" : "whole";
}

void render_route(base::JsonWriter& out, const web::Route& route) {
    out.begin_object();
    out.member("method", route.method);
    out.member("pattern", route.pattern);
    out.member("access", name_of(route.access));
    out.member("body_bytes_max", static_cast<std::int64_t>(route.body_bytes_max));
    out.member("body_mode", name_of(route.body_mode));
    out.member_or_null("audit", route.audit_kind);
    out.end_object();
}

}  // namespace

int show_routes(bool as_json) {
    web::Router router;
    api::add_all_routes(router, nullptr);
    std::string text;
    if (as_json) {
        base::JsonWriter out(text);
        out.begin_array();
        for (const auto& entry : router) {
            render_route(out, entry.route);
        }
        out.end_array();
        text += '\n';
    } else {
        for (const auto& entry : router) {
            const web::Route& route = entry.route;
            text += fmt::format("{:<7} {:<44} {}\n", route.method, route.pattern, name_of(route.access));
        }
    }
    fmt::print("{}", text);
    return 0;
}

}  // namespace confab::app
