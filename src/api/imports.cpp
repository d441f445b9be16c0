// /api/imports: conversations of other programs, or of another Confab, brought in.
#include "api/body.hpp"
#include "api/routes.hpp"
#include "base/text.hpp"
#include "transfer/import_service.hpp"
#include "web/body_reader.hpp"

namespace confab::api {

namespace {

using web::Access;


// A name to show; it names nothing on the disk.
Result<std::string> parse_filename(const web::Request& request) {
    std::string name(request.query_value("filename").value_or("import"));
    if (name.size() > kFilenameBytesMax || !base::is_utf8(name)) {
        return base::invalid("filename", "A file name has at most 255 bytes of UTF-8.");
    }
    std::erase_if(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
    return name.empty() ? "import" : name;
}

Task<Result<store::ImportJob>> receive(transfer::ImportService::Upload& upload, Exchange& exchange) {
    bool empty = true;
    while (true) {
        CO_TRY(const std::string_view piece, co_await exchange.read_body_piece());
        if (piece.empty()) {
            break;
        }
        empty = false;
        CO_TRY_VOID(co_await upload.append(piece));
    }
    if (empty) {
        co_return base::invalid("file", "The file is empty.", "empty_file");
    }
    co_return co_await upload.finish();
}

Task<Result<Reply>> create_import(Context& context, Exchange& exchange) {
    CO_TRY(auto filename, parse_filename(exchange.request()));
    const auto lease = context.budget.try_lease(
        kUploadLeaseBytes, meter::Purpose::uploads, exchange.request().caller.user_no
    );
    if (!lease) {
        co_return std::unexpected(lease.error());
    }
    CO_TRY(auto upload, co_await context.imports.begin_upload(user_of(exchange), std::move(filename)));
    auto job = co_await receive(*upload, exchange);
    if (!job) {
        (void)co_await context.store.delete_import(upload->id());  // an import that never was one
        co_return std::unexpected(job.error());
    }
    co_return web::json_reply(transfer::render_import(*job), 202);
}

Task<Result<Reply>> list_imports(Context& context, Exchange& exchange) {
    CO_TRY(const auto page, parse_page<store::ImportId>(exchange.request()));
    CO_TRY(const auto imports, co_await context.store.list_imports(user_of(exchange), page));
    const auto render = [](std::string& out, const store::ImportJob& job) { out += transfer::render_import(job); };
    co_return web::json_reply(render_list(imports, render));
}

Task<Result<Reply>> get_import(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ImportId>(exchange.request(), 0, "Import"));
    CO_TRY(const auto job, co_await context.store.find_import(user_of(exchange), id));
    co_return web::json_reply(transfer::render_import(job));
}

Task<Result<Reply>> cancel_import(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ImportId>(exchange.request(), 0, "Import"));
    CO_TRY(const auto job, co_await context.imports.cancel(user_of(exchange), id));
    co_return web::json_reply(transfer::render_import(job));
}

}  // namespace

void add_import_routes(Routes& routes) {
    routes.add_streaming(
        "POST", "/api/imports", Access::user, create_import, transfer::kUploadBytesMax, "import_too_large"
    ).load = web::Load::upload;
    routes.add("GET", "/api/imports", Access::user, list_imports);
    routes.add("GET", "/api/imports/{id}", Access::user, get_import);
    routes.add("DELETE", "/api/imports/{id}", Access::user, cancel_import);
}

}  // namespace confab::api
