#include "transfer/exporter.hpp"

#include "transfer/ndjson_export.hpp"
#include "transfer/path_export.hpp"

namespace confab::transfer {

using base::Result;
using net::Task;

std::optional<ExportFormat> parse_export_format(std::string_view name) {
    for (const ExportFormat format : {ExportFormat::markdown, ExportFormat::json, ExportFormat::ndjson}) {
        if (name == extension_of(format)) {
            return format;
        }
    }
    return std::nullopt;
}

std::string_view extension_of(ExportFormat format) {
    switch (format) {
        case ExportFormat::markdown: return "md";
        case ExportFormat::json: return "json";
        case ExportFormat::ndjson: break;
    }
    return "ndjson";
}

std::string_view media_type_of(ExportFormat format) {
    switch (format) {
        case ExportFormat::markdown: return "text/markdown; charset=utf-8";
        case ExportFormat::json: return "application/json";
        case ExportFormat::ndjson: break;
    }
    return "application/x-ndjson";
}

Task<Result<OpenedExport>> export_conversation(
    ExportSources sources,
    store::UserNo user,
    store::ConversationId id,
    ExportFormat format
) {
    CO_TRY(auto start, co_await sources.store.begin_export(user, id));
    OpenedExport opened;
    opened.title = start.conversation.title;
    if (format == ExportFormat::ndjson) {
        opened.producer = std::make_unique<NdjsonExport>(std::move(sources), user, std::move(start));
    } else {
        opened.producer = std::make_unique<PathExport>(std::move(sources), user, std::move(start), format);
    }
    co_return opened;
}

std::unique_ptr<Producer> export_everything(ExportSources sources, store::UserNo user) {
    return std::make_unique<NdjsonExport>(std::move(sources), user, std::nullopt);
}

}  // namespace confab::transfer
