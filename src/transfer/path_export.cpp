#include "transfer/path_export.hpp"

#include <fmt/format.h>

#include "chat/item_json.hpp"
#include "transfer/export_lines.hpp"
#include "transfer/markdown.hpp"

namespace confab::transfer {

using base::Result;
using net::Task;

PathExport::PathExport(ExportSources sources, store::UserNo user, store::ExportStart start, ExportFormat format)
    : sources_(std::move(sources)), user_(user), start_(std::move(start)), format_(format) {}

std::string PathExport::progress() const {
    return fmt::format("{} messages", items_);
}

Task<Result<bool>> PathExport::next(std::string& out) {
    if (!begun_) {
        begun_ = true;
        begin(out);
    }
    CO_TRY(const auto page, co_await sources_.store.export_path(user_, start_, position_));
    for (const store::Item& item : page.rows) {
        add(out, item);
        position_ = item.position;
    }
    if (!page.has_more && format_ == ExportFormat::json) {
        out += "\n]}\n";
    }
    co_return page.has_more;
}

void PathExport::begin(std::string& out) const {
    if (format_ == ExportFormat::markdown) {
        append_markdown_head(out, start_.conversation);
        return;
    }
    out += R"({"conversation":)";
    append_conversation(out, start_.conversation);
    out += R"(,"items":[)";
}

void PathExport::add(std::string& out, const store::Item& item) {
    if (format_ == ExportFormat::markdown) {
        append_markdown(out, item);
    } else {
        out += items_ == 0 ? "\n" : ",\n";
        chat::render_item(out, item);
    }
    ++items_;
}

}  // namespace confab::transfer
