// PathExport: the active path of one conversation, as one JSON object or as a Markdown document to read.
#pragma once

#include "transfer/exporter.hpp"

namespace confab::transfer {

class PathExport final : public Producer {
public:
    PathExport(ExportSources sources, store::UserNo user, store::ExportStart start, ExportFormat format);

    net::Task<base::Result<bool>> next(std::string& out) override;
    std::string progress() const override;

private:
    void begin(std::string& out) const;
    void add(std::string& out, const store::Item& item);

    ExportSources sources_;
    const store::UserNo user_;
    const store::ExportStart start_;
    const ExportFormat format_;
    bool begun_ = false;
    store::Position position_ = 0;
    std::int64_t items_ = 0;
};

}  // namespace confab::transfer
