// NdjsonExport: one conversation or all of a user's, over all branches and with their images. A conversation is as it
// was when its own turn came.
#pragma once

#include <deque>
#include <unordered_set>

#include "transfer/export_lines.hpp"
#include "transfer/exporter.hpp"

namespace confab::transfer {

class NdjsonExport final : public Producer {
public:
    // Without `only`: everything.
    NdjsonExport(ExportSources sources, store::UserNo user, std::optional<store::ExportStart> only);

    net::Task<base::Result<bool>> next(std::string& out) override;
    std::string progress() const override;

private:
    void begin_conversation(std::string& out);
    net::Task<base::Result<bool>> add_items(std::string& out);
    net::Task<base::Result<bool>> begin_file(std::string& out);
    net::Task<base::Result<bool>> add_file_piece(std::string& out);
    void take_piece(std::string& out, const store::StoredFile& file, std::string_view piece);

    ExportSources sources_;
    const store::UserNo user_;
    const bool everything_;
    bool begun_ = false;
    std::optional<store::ExportStart> current_;
    std::optional<store::ConversationNo> after_;
    store::ExportCursor cursor_;
    std::deque<store::FileId> files_due_;                               // of the last page
    std::unordered_set<store::FileId, base::IdHash> files_done_;  // at most kUserFilesMax
    std::optional<store::StoredFile> file_;                             // the one under way
    std::uint64_t file_sent_ = 0;
    ExportCounts counts_;
};

}  // namespace confab::transfer
