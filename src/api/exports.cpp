// /api/export and /api/conversations/{id}/export: conversations as files to keep.
#include <stdexcept>

#include "api/body.hpp"
#include "api/export_name.hpp"
#include "api/routes.hpp"
#include "transfer/exporter.hpp"

namespace confab::api {

namespace {

using transfer::ExportFormat;
using web::Access;

class ExportStreamer final : public web::Streamer {
public:
    ExportStreamer(std::unique_ptr<transfer::Producer> producer, meter::Lease lease)
        : producer_(std::move(producer)), lease_(std::move(lease)) {}

    // The next piece is made when the client has taken the last.
    Task<void> stream(web::StreamWriter& writer) override {
        std::string piece;
        for (bool more = true; more;) {
            piece.clear();
            const auto made = co_await producer_->next(piece);
            if (!made) {
                throw std::runtime_error("an export broke off: " + made.error().message);  // seen as not whole
            }
            more = *made;
            const bool taken = piece.empty() || co_await writer.write(piece);
            if (!taken) {
                co_return;
            }
        }
    }

private:
    std::unique_ptr<transfer::Producer> producer_;
    const meter::Lease lease_;
};

Result<Reply> export_reply(
    Context& context,
    std::unique_ptr<transfer::Producer> producer,
    ExportFormat format,
    std::string_view title,
    store::UserNo user
) {
    TRY(
        auto lease,
        context.budget.try_lease(
            transfer::kExportLeaseBytes, meter::Purpose::exports, static_cast<std::int64_t>(user)
        )
    );
    Reply reply;
    reply.content_type = transfer::media_type_of(format);
    reply.headers.push_back({"content-disposition", export_disposition(title, transfer::extension_of(format))});
    reply.headers.push_back({"cache-control", "no-store"});
    reply.headers.push_back({"content-security-policy", "sandbox; default-src 'none'"});
    reply.streamer = std::make_unique<ExportStreamer>(std::move(producer), std::move(lease));
    return reply;
}

Task<Result<Reply>> export_one(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ConversationId>(exchange.request(), 0, "Conversation"));
    const std::string name(exchange.request().query_value("format").value_or("ndjson"));
    const auto format = transfer::parse_export_format(name);
    if (!format) {
        co_return base::invalid("format", "format is 'md', 'json' or 'ndjson'.");
    }
    transfer::ExportSources sources{context.store, context.blobs, context.version};
    CO_TRY(
        auto opened,
        co_await transfer::export_conversation(std::move(sources), user_of(exchange), id, *format)
    );
    co_return export_reply(context, std::move(opened.producer), *format, opened.title, user_of(exchange));
}

Task<Result<Reply>> export_all(Context& context, Exchange& exchange) {
    const auto format = exchange.request().query_value("format");
    if (format && *format != "ndjson") {
        co_return base::invalid("format", "All conversations together are exported as 'ndjson' only.");
    }
    transfer::ExportSources sources{context.store, context.blobs, context.version};
    auto producer = transfer::export_everything(std::move(sources), user_of(exchange));
    co_return export_reply(context, std::move(producer), ExportFormat::ndjson, "confab-export", user_of(exchange));
}

}  // namespace

void add_export_routes(Routes& routes) {
    routes.add("GET", "/api/conversations/{id}/export", Access::user, export_one).load = web::Load::background;
    routes.add("GET", "/api/export", Access::user, export_all).load = web::Load::background;
}

}  // namespace confab::api
