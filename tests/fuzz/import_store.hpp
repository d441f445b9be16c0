// A store for the fuzz targets of imports: it keeps nothing, checks all that an import hands over against the bounds that
// the real one relies on, and tells it as a text, so that two imports can be compared.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "chat/item_json.hpp"
#include "store/organise_names.hpp"
#include "store/store.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "transfer/source_model.hpp"

namespace confab::fuzz {

class CheckingStore final : public store::ImportStore, public store::FileStore {
public:
    // Files that are taken over are in `blob_dir`.
    explicit CheckingStore(std::string blob_dir) : blob_dir_(std::move(blob_dir)) {}

    const std::string& told() const { return told_; }

    net::Task<base::Result<std::vector<store::ImportedPiece>>> import_pieces(
        store::UserNo user,
        store::UserId,
        std::vector<store::ImportPiece> pieces
    ) override {
        FUZZ_CHECK(user == kUser);
        FUZZ_CHECK(!pieces.empty());
        std::size_t items = 0;
        std::size_t bytes = 0;
        std::vector<store::ImportedPiece> done;
        for (const store::ImportPiece& piece : pieces) {
            items += piece.items.size();
            for (const store::ImportItem& item : piece.items) {
                bytes += item.item.body.size();
            }
            done.push_back(take(piece));
        }
        FUZZ_CHECK(items <= store::kImportItemsMax);
        FUZZ_CHECK(bytes <= store::kImportBytesMax || items == 1);
        co_return done;
    }

    // Every other file's id is somebody else's.
    net::Task<base::Result<store::FileId>> importable_file_id(store::UserNo, store::UserId, store::FileId id) override {
        store::FileId usable = id;
        usable.bytes.back() &= 0xFE;
        co_return usable;
    }

    net::Task<base::Result<store::StoredFile>> find_file(store::UserNo, store::FileId) override {
        co_return base::not_found("There is no such file.", "file_not_found");
    }

    net::Task<base::Result<store::StoredFile>> create_file(store::NewFile made) override {
        const store::StoredFile& file = made.file;
        FUZZ_CHECK(file.user == kUser);
        FUZZ_CHECK(made.temporary.starts_with(blob_dir_ + "/") && made.temporary.find("..") == std::string::npos);
        FUZZ_CHECK(file.bytes > 0 && file.bytes <= store::kFileBytesMax);
        FUZZ_CHECK(file.media_type.starts_with("image/"));
        FUZZ_CHECK(file.filename.size() <= 255 && base::is_utf8(file.filename));
        FUZZ_CHECK(base::is_utf8(file.purpose));
        told_ += "file " + file.id.str() + " " + file.filename + " " + file.media_type + " " + std::to_string(file.bytes) +
                 " " + time_of(file.created_at) + "\n";
        co_return file;
    }

    static constexpr store::UserNo kUser{7};

private:
    // What has the time of the import differs between two of them.
    std::string time_of(store::UnixSeconds time) const {
        FUZZ_CHECK(time > 0 && time <= base::unix_now());
        return time >= began_ ? "now" : std::to_string(time);
    }

    static void check_text(std::string_view text, std::size_t bytes_max) {
        FUZZ_CHECK(text.size() <= bytes_max);
        FUZZ_CHECK(base::is_utf8(text));
    }

    store::ImportedPiece take(const store::ImportPiece& piece) {
        check_text(piece.title, transfer::kTitleBytesMax);
        check_text(piece.model, transfer::kModelBytesMax);
        check_text(piece.instructions, transfer::kInstructionsBytesMax);
        const auto metadata = base::parse_json(piece.metadata);
        FUZZ_CHECK(metadata && metadata->is_object() && metadata->get_object().size() <= 16);
        told_ += "conversation " + piece.id.str() + " " + piece.title + "|" + piece.model + "|" + piece.instructions + "|" +
                 piece.metadata + " " + time_of(piece.created_at) + " " + time_of(piece.updated_at) +
                 (piece.pinned ? " pinned" : "") + (piece.archived ? " archived" : "") + (piece.last ? " last" : "") + " " +
                 std::to_string(static_cast<int>(piece.compaction)) + "\n";
        take_names(piece);
        for (std::size_t i = 0; i < piece.items.size(); ++i) {
            take_item(piece.items[i], i);
        }
        FUZZ_CHECK(!piece.head_index || (piece.last && *piece.head_index < piece.items.size()));
        FUZZ_CHECK(!piece.head || (piece.last && piece.head->position <= last_position_));
        told_ += piece.head_index ? "head " + std::to_string(*piece.head_index) + "\n" : "";
        return answer(piece);
    }

    void take_names(const store::ImportPiece& piece) {
        FUZZ_CHECK(piece.tags.size() <= store::kConversationTagsMax);
        for (const std::string& tag : piece.tags) {
            const auto normal = store::normalise_tag(tag, "tags");
            FUZZ_CHECK(normal && *normal == tag && base::is_utf8(tag));
            told_ += "tag " + tag + "\n";
        }
        if (piece.folder) {
            const auto normal = store::normalise_folder_name(piece.folder->name);
            FUZZ_CHECK(normal && *normal == piece.folder->name);
            check_text(piece.folder->name, store::kFolderNameBytesMax);
            told_ += "folder " + piece.folder->id.str() + " " + piece.folder->name + "\n";
        }
    }

    void take_item(const store::ImportItem& item, std::size_t index) {
        FUZZ_CHECK(!item.parent || *item.parent < index);
        FUZZ_CHECK(item.parent || item.after.position <= last_position_);
        check_text(item.item.body, transfer::kBodyBytesMax);
        FUZZ_CHECK(item.item.tokens >= 0);
        FUZZ_CHECK(item.item.format == store::BodyFormat::text || base::parse_json(item.item.body).has_value());
        store::Item stored;
        stored.id = item.item.id;
        stored.role = item.item.role;
        stored.status = item.item.status;
        stored.format = item.item.format;
        stored.body = item.item.body;
        stored.tokens = item.item.tokens;
        std::string rendered;
        chat::render_item(rendered, stored);
        FUZZ_CHECK(base::parse_json(rendered).has_value());
        told_ += "item " + (item.parent ? std::to_string(*item.parent) : "-") + " " + time_of(item.created_at) + " " +
                 rendered + "\n";
        if (item.run) {
            check_text(item.run->model, transfer::kModelBytesMax);
            FUZZ_CHECK(item.run->usage.empty() || base::parse_json(item.run->usage).has_value());
            FUZZ_CHECK(!item.run->timing || (item.run->timing->duration_ms >= 0 && item.run->timing->first_token_ms >= 0));
            told_ += "run " + item.run->id.str() + " " + item.run->model + " " + item.run->usage + "\n";
        }
    }

    // Every sixteenth conversation is refused, as one is that was deleted meanwhile.
    store::ImportedPiece answer(const store::ImportPiece& piece) {
        store::ImportedPiece done;
        if (piece.id.bytes[0] % 16 == 0) {
            done.refused = base::Error{base::Errc::not_found, "It was deleted.", "conversation_deleted", ""};
            return done;
        }
        FUZZ_CHECK(!piece.conversation || *piece.conversation == store::ConversationNo{last_conversation_});
        last_conversation_ += piece.conversation ? 0 : 1;
        done.conversation = store::ConversationNo{last_conversation_};
        for (std::size_t i = 0; i < piece.items.size(); ++i) {
            done.places.push_back({store::BranchNo{1}, ++last_position_});
        }
        done.added = static_cast<std::int64_t>(piece.items.size());
        return done;
    }

    // What an import never does.
    template <class T>
    static net::Task<T> never() {
        FUZZ_CHECK(!"called");
        co_return std::unexpected(base::Error{});
    }

    using Job = base::Result<store::ImportJob>;

    net::Task<base::Status> begin_import(store::ImportJob) override { return never<base::Status>(); }
    net::Task<base::Status> queue_import(store::ImportId, std::int64_t) override { return never<base::Status>(); }
    net::Task<base::Status> delete_import(store::ImportId) override { return never<base::Status>(); }
    net::Task<base::Result<std::optional<store::ImportJob>>> claim_import() override {
        return never<base::Result<std::optional<store::ImportJob>>>();
    }
    net::Task<base::Result<bool>> save_import(store::ImportId, store::ImportProgress) override {
        return never<base::Result<bool>>();
    }
    net::Task<base::Status> finish_import(store::ImportId, store::ImportStatus, store::ImportProgress) override {
        return never<base::Status>();
    }
    net::Task<Job> cancel_import(store::UserNo, store::ImportId) override { return never<Job>(); }
    net::Task<Job> find_import(store::UserNo, store::ImportId) override { return never<Job>(); }
    net::Task<base::Result<store::Page<store::ImportJob>>> list_imports(
        store::UserNo,
        store::PageRequest<store::ImportId>
    ) override {
        return never<base::Result<store::Page<store::ImportJob>>>();
    }
    net::Task<base::Result<std::vector<store::ImportJob>>> recover_imports() override {
        return never<base::Result<std::vector<store::ImportJob>>>();
    }
    net::Task<base::Result<store::Page<store::StoredFile>>> list_files(
        store::UserNo,
        store::PageRequest<store::FileId>
    ) override {
        return never<base::Result<store::Page<store::StoredFile>>>();
    }
    net::Task<base::Status> delete_file(store::UserNo, store::FileId) override { return never<base::Status>(); }

    const std::string blob_dir_;
    const store::UnixSeconds began_ = kBegan;
    std::string told_;
    std::int64_t last_conversation_ = 0;
    store::Position last_position_ = 0;

    static inline const store::UnixSeconds kBegan = base::unix_now();
};

}  // namespace confab::fuzz
