// Exports: conversations as NDJSON, JSON or Markdown, piece by piece (docs/export-format.md). Whoever takes the pieces
// sets the pace: nothing is read ahead.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/task.hpp"
#include "store/blob_disk.hpp"
#include "store/store.hpp"

namespace confab::transfer {

// Bytes on their way out: an export, or a backup.
class Producer {
public:
    virtual ~Producer() = default;

    // Appends the next piece to `out`, some 64 to 300 KiB, or one message that is larger, or nothing yet. False: that
    // was the last. After an error what came before is not whole.
    virtual net::Task<base::Result<bool>> next(std::string& out) = 0;

    // How far it has come, for people.
    virtual std::string progress() const = 0;
};

enum class ExportFormat : std::uint8_t { markdown, json, ndjson };

// "md", "json", "ndjson".
std::optional<ExportFormat> parse_export_format(std::string_view name);
std::string_view media_type_of(ExportFormat format);
std::string_view extension_of(ExportFormat format);

// What exports read from, and what they say made them.
struct ExportSources {
    store::Store& store;
    store::BlobDisk& blobs;
    std::string version;
};

struct OpenedExport {
    std::string title;  // of the conversation; may be empty
    std::unique_ptr<Producer> producer;
};

// Memory to be leased for an export under way: a page of items and its rendering. A message larger than a page comes on
// top while it is written.
inline constexpr std::uint64_t kExportLeaseBytes = 1024 * 1024;

// One conversation: all branches and images in NDJSON, the active path in JSON and Markdown. Errors: not_found.
net::Task<base::Result<OpenedExport>> export_conversation(
    ExportSources sources,
    store::UserNo user,
    store::ConversationId id,
    ExportFormat format
);

// All of the user's conversations, as NDJSON.
std::unique_ptr<Producer> export_everything(ExportSources sources, store::UserNo user);

}  // namespace confab::transfer
