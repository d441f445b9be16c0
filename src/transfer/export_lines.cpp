#include "transfer/export_lines.hpp"

#include "base/base64.hpp"
#include "base/clock.hpp"
#include "base/json.hpp"
#include "chat/item_json.hpp"

namespace confab::transfer {

namespace {

using base::JsonWriter;

constexpr int kFormatVersion = 1;
constexpr std::string_view kFileReference = "\"file_id\":\"";  // in a text the quotes would be escaped
constexpr std::size_t kFileIdChars = 5 + 32;

void render_members(JsonWriter& line, const store::Conversation& conversation) {
    line.member("id", conversation.id.str());
    line.member_or_null("title", conversation.title);
    line.member_or_null("model", conversation.model);
    line.member_or_null("instructions", conversation.instructions);
    line.raw_member("metadata", conversation.metadata.empty() ? "{}" : std::string_view(conversation.metadata));
    line.member("pinned", conversation.pinned);
    line.member("archived", conversation.archived);
    line.member_or_null("folder_id", conversation.folder ? conversation.folder->str() : std::string());
    line.key("tags");
    line.begin_array();
    for (const std::string& tag : conversation.tags) {
        line.value(tag);
    }
    line.end_array();
    line.member_or_null(
        "compaction",
        conversation.compaction == store::Compaction::automatic ? "auto"
        : conversation.compaction == store::Compaction::off     ? "off"
                                                                : ""
    );
    line.member("created_at", conversation.created_at);
    line.member("updated_at", conversation.updated_at);
    line.member_or_null("head_item_id", conversation.head ? conversation.head->str() : std::string());
}

}  // namespace

void append_header_line(std::string& out, std::string_view version) {
    JsonWriter line(out);
    line.begin_object();
    line.member("type", "confab_export");
    line.member("version", kFormatVersion);
    line.member("exported_at", base::unix_now());
    line.member("product", "confab " + std::string(version));
    line.end_object();
    out += '\n';
}

void append_folder_line(std::string& out, const store::Folder& folder) {
    JsonWriter line(out);
    line.begin_object();
    line.member("type", "folder");
    line.member("id", folder.id.str());
    line.member("name", folder.name);
    line.member("created_at", folder.created_at);
    line.end_object();
    out += '\n';
}

void append_conversation_line(std::string& out, const store::Conversation& conversation) {
    JsonWriter line(out);
    line.begin_object();
    line.member("type", "conversation");
    render_members(line, conversation);
    line.end_object();
    out += '\n';
}

void append_conversation(std::string& out, const store::Conversation& conversation) {
    JsonWriter line(out);
    line.begin_object();
    render_members(line, conversation);
    line.end_object();
}

void append_item_line(std::string& out, const store::ExportedItem& item) {
    std::string rendered;
    chat::render_item(rendered, item.item);
    JsonWriter line(out);
    line.begin_object();
    line.member("type", "item");
    line.member_or_null("parent_id", item.parent ? item.parent->str() : std::string());
    line.raw_member("item", rendered);
    line.end_object();
    out += '\n';
}

void append_file_line(std::string& out, const store::StoredFile& file) {
    JsonWriter line(out);
    line.begin_object();
    line.member("type", "file");
    line.member("id", file.id.str());
    line.member("filename", file.filename);
    line.member("purpose", file.purpose);
    line.member("media_type", file.media_type);
    line.member("bytes", file.bytes);
    line.member("sha256", base::to_hex(file.hash));
    line.member("created_at", file.created_at);
    line.end_object();
    out += '\n';
}

void append_file_data_line(std::string& out, store::FileId id, std::string_view bytes) {
    JsonWriter line(out);
    line.begin_object();
    line.member("type", "file_data");
    line.member("id", id.str());
    line.member("data", base::base64_encode(bytes));
    line.end_object();
    out += '\n';
}

void append_end_line(std::string& out, const ExportCounts& counts) {
    JsonWriter line(out);
    line.begin_object();
    line.member("type", "end");
    line.member("conversations", counts.conversations);
    line.member("items", counts.items);
    line.member("files", counts.files);
    line.end_object();
    out += '\n';
}

std::vector<store::FileId> files_in(const store::Item& item) {
    std::vector<store::FileId> files;
    if (item.format != store::BodyFormat::json) {
        return files;
    }
    const std::string_view body = item.body;
    for (auto at = body.find(kFileReference); at != std::string_view::npos; at = body.find(kFileReference, at + 1)) {
        if (const auto id = store::FileId::parse(body.substr(at + kFileReference.size(), kFileIdChars))) {
            files.push_back(*id);
        }
    }
    return files;
}

}  // namespace confab::transfer
