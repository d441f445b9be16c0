// The page: one HTML file for every address of the application, and its assets.
#include "api/routes.hpp"
#include "web/assets.hpp"

namespace confab::api {

namespace {

using web::Access;

// No script but our own files, nothing from elsewhere, no inline style, no framing; text becomes DOM nodes, never HTML.
constexpr std::string_view kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src "
    "'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for "
    "'script'; trusted-types 'none'";

Task<Result<Reply>> serve(std::string path, Exchange& exchange) {
    const web::Asset* asset = web::find_asset(path);
    if (asset == nullptr) {
        const bool page = path == web::kIndexPath;
        co_return base::not_found(
            page ? "This build of Confab has no page; the API works." : "There is nothing at this address.",
            "unknown_route"
        );
    }
    const web::Request& request = exchange.request();
    Reply reply;
    reply.content_type = asset->content_type;
    reply.headers.push_back({"etag", std::string(asset->etag)});
    reply.headers.push_back({"vary", "accept-encoding"});
    reply.headers.push_back({"cache-control", asset->immutable ? "public, max-age=31536000, immutable" : "no-cache"});
    if (asset->is_page) {
        reply.headers.push_back({"content-security-policy", std::string(kContentSecurityPolicy)});
        reply.headers.push_back({"referrer-policy", "no-referrer"});
        reply.headers.push_back({"x-frame-options", "DENY"});
        reply.headers.push_back({"cross-origin-opener-policy", "same-origin"});
        reply.headers.push_back({"permissions-policy", "camera=(), microphone=(), geolocation=()"});
    }
    if (request.header("if-none-match") == asset->etag) {
        reply.status = 304;
        co_return reply;
    }
    const std::string_view accepted = request.header("accept-encoding");
    if (accepted.find("br") != std::string_view::npos) {
        reply.static_body = asset->brotli;
        reply.headers.push_back({"content-encoding", "br"});
    } else if (accepted.find("gzip") != std::string_view::npos) {
        reply.static_body = asset->gzip;
        reply.headers.push_back({"content-encoding", "gzip"});
    } else {
        reply.static_body = asset->plain;
    }
    co_return reply;
}

Task<Result<Reply>> serve_page(Context& /*context*/, Exchange& exchange) {
    return serve(std::string(web::kIndexPath), exchange);
}

// The page that shows what is shared: found by no search engine. Its images come with a header that an <img> cannot send,
// so its script fetches them and shows them from its own memory (blob:).
Task<Result<Reply>> serve_shared_page(Context& /*context*/, Exchange& exchange) {
    CO_TRY(auto reply, co_await serve(std::string(web::kIndexPath), exchange));
    for (web::Header& header : reply.headers) {
        if (header.name == "content-security-policy") {
            constexpr std::string_view kImages = "img-src 'self'";
            header.value.insert(header.value.find(kImages) + kImages.size(), " blob:");
        }
    }
    reply.headers.push_back({"x-robots-tag", "noindex, nofollow"});
    co_return reply;
}

Task<Result<Reply>> serve_asset(Context& /*context*/, Exchange& exchange) {
    return serve(exchange.request().path, exchange);
}

}  // namespace

void add_page_routes(Routes& routes) {
    constexpr std::uint64_t kNoBody = 0;
    for (const char* pattern : {"/", "/setup", "/login", "/signup", "/settings", "/settings/{section}", "/c/{id}"}) {
        routes.add("GET", pattern, Access::open, serve_page, kNoBody);
    }
    routes.add("GET", "/share", Access::open, serve_shared_page, kNoBody);
    for (const char* pattern :
         {"/assets/{file}", "/favicon.svg", "/favicon.ico", "/manifest.webmanifest", "/robots.txt"}) {
        routes.add("GET", pattern, Access::open, serve_asset, kNoBody);
    }
}

}  // namespace confab::api
