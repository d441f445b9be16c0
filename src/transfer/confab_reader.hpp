// ConfabReader: Confab's own export, one JSON object a line.
//
// Ids are kept where that is possible. What is said of owners is not looked at: everything becomes the importer's.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/json.hpp"
#include "store/blob_disk.hpp"
#include "store/store.hpp"
#include "transfer/conversation_builder.hpp"

namespace confab::transfer {

inline constexpr std::size_t kLineBytesMax = 24ULL * 1024 * 1024;
inline constexpr int kExportVersion = 1;

class ConfabReader {
public:
    ConfabReader(
        store::ImportStore& store,
        store::FileStore& files,
        store::BlobDisk& blobs,
        ConversationBuilder& builder,
        ImportReport& report,
        Importing importing
    );

    // `first_line` is that of a file: does it begin an export?
    static bool is_header(std::string_view first_line);

    // Errors: those of the store; unknown_version.
    net::Task<base::Status> take(std::string_view piece);

    // After the last piece. Errors: truncated.
    net::Task<base::Status> finish();

private:
    // A file whose data comes.
    struct Incoming {
        store::NewFile described;
        std::string id;  // as the export has it
        std::unique_ptr<store::BlobWriter> writer;
        bool broken = false;
    };

    net::Task<base::Status> take_line(std::string_view line);
    net::Task<base::Status> take_object(base::json::object& object);
    base::Status take_header(const base::json::object& object);
    void take_folder(const base::json::object& object);
    static std::vector<std::string> read_tags(const base::json::object& object);
    base::Status begin_conversation(const base::json::object& object);
    net::Task<base::Status> end_conversation();
    net::Task<base::Status> take_item(base::json::object& object);
    net::Task<base::Status> rename_files(base::json::value& value);
    net::Task<base::Status> rename_file(base::json::object& part);
    net::Task<base::Result<store::FileId>> importable(store::FileId id);
    net::Task<base::Status> begin_file(const base::json::object& object);
    net::Task<base::Status> take_file_data(const base::json::object& object);
    net::Task<base::Status> end_file();
    std::string where() const;

    store::ImportStore& store_;
    store::FileStore& files_;
    store::BlobDisk& blobs_;
    ConversationBuilder& builder_;
    ImportReport& report_;
    const Importing importing_;
    std::string line_;  // its beginning, while it comes
    std::uint64_t line_number_ = 0;
    bool too_long_ = false;
    bool ended_ = false;
    std::map<std::string, store::ImportFolder> folders_;  // by id
    std::optional<SourceConversation> conversation_;
    bool given_up_ = false;  // with this conversation
    std::optional<Incoming> file_;
    std::map<store::FileId, store::FileId> renamed_;  // of those asked for, at most kFilesRememberedMax
};

}  // namespace confab::transfer
