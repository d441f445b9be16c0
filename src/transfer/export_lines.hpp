// The lines of Confab's own export format (docs/export-format.md), each with its newline.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/export_store.hpp"
#include "store/file_rows.hpp"

namespace confab::transfer {

struct ExportCounts {
    std::int64_t conversations = 0;
    std::int64_t items = 0;
    std::int64_t files = 0;
};

void append_header_line(std::string& out, std::string_view version);
void append_folder_line(std::string& out, const store::Folder& folder);
void append_conversation_line(std::string& out, const store::Conversation& conversation);
void append_item_line(std::string& out, const store::ExportedItem& item);
void append_file_line(std::string& out, const store::StoredFile& file);
void append_file_data_line(std::string& out, store::FileId id, std::string_view bytes);
void append_end_line(std::string& out, const ExportCounts& counts);

// The conversation's members, as one object without a type.
void append_conversation(std::string& out, const store::Conversation& conversation);

// The files that a stored body refers to, in their order.
std::vector<store::FileId> files_in(const store::Item& item);

}  // namespace confab::transfer
