// Confab's own format: everything, so that an import gives it back.
#include "transfer/ndjson_export.hpp"

#include <fmt/format.h>

namespace confab::transfer {

namespace {

using base::Errc;
using base::Result;
using net::Task;

constexpr std::size_t kFilePieceBytes = 48 * 1024;  // a multiple of three: each line is base64 of its own
static_assert(kFilePieceBytes % 3 == 0);

}  // namespace

NdjsonExport::NdjsonExport(ExportSources sources, store::UserNo user, std::optional<store::ExportStart> only)
    : sources_(std::move(sources)), user_(user), everything_(!only), current_(std::move(only)) {}

std::string NdjsonExport::progress() const {
    return fmt::format("{} conversations, {} messages, {} images", counts_.conversations, counts_.items, counts_.files);
}

Task<Result<bool>> NdjsonExport::next(std::string& out) {
    if (!begun_) {
        begun_ = true;
        append_header_line(out, sources_.version);
        if (current_) {
            begin_conversation(out);
        } else {
            CO_TRY(const auto folders, co_await sources_.store.list_folders(user_));
            for (const store::Folder& folder : folders) {
                append_folder_line(out, folder);
            }
        }
        co_return true;
    }
    if (file_) {
        co_return co_await add_file_piece(out);
    }
    if (!files_due_.empty()) {
        co_return co_await begin_file(out);
    }
    if (current_) {
        co_return co_await add_items(out);
    }
    if (everything_) {
        CO_TRY(current_, co_await sources_.store.next_export(user_, after_));
        if (current_) {
            begin_conversation(out);
            co_return true;
        }
    }
    append_end_line(out, counts_);
    co_return false;
}

void NdjsonExport::begin_conversation(std::string& out) {
    append_conversation_line(out, current_->conversation);
    ++counts_.conversations;
    after_ = current_->conversation.no;
    cursor_ = store::ExportCursor{};
}

Task<Result<bool>> NdjsonExport::add_items(std::string& out) {
    auto page = co_await sources_.store.export_items(user_, *current_, cursor_);
    if (!page && page.error().errc == Errc::not_found && everything_) {
        current_.reset();  // deleted meanwhile: what came of it stays
        co_return true;
    }
    if (!page) {
        co_return std::unexpected(page.error());
    }
    for (const store::ExportedItem& item : page->items) {
        append_item_line(out, item);
        ++counts_.items;
        for (const store::FileId& file : files_in(item.item)) {
            if (!files_done_.contains(file)) {
                files_due_.push_back(file);
            }
        }
    }
    cursor_ = page->next;
    if (page->done) {
        current_.reset();
    }
    co_return true;
}

// What is not there any more, or not the user's, is left out.
Task<Result<bool>> NdjsonExport::begin_file(std::string& out) {
    const store::FileId id = files_due_.front();
    files_due_.pop_front();
    if (files_done_.contains(id)) {
        co_return true;
    }
    auto file = co_await sources_.store.find_file(user_, id);
    if (!file && file.error().errc == Errc::not_found) {
        co_return true;
    }
    if (!file) {
        co_return std::unexpected(file.error());
    }
    auto first = co_await sources_.blobs.read(file->hash, 0, kFilePieceBytes);
    if (!first && first.error().errc == Errc::not_found) {
        co_return true;
    }
    if (!first) {
        co_return std::unexpected(first.error());
    }
    files_done_.insert(id);
    ++counts_.files;
    append_file_line(out, *file);
    take_piece(out, *file, *first);
    co_return true;
}

Task<Result<bool>> NdjsonExport::add_file_piece(std::string& out) {
    CO_TRY(const auto piece, co_await sources_.blobs.read(file_->hash, file_sent_, kFilePieceBytes));
    if (piece.empty()) {
        co_return base::fail(Errc::internal, "An image's bytes end early.", "file_failed");
    }
    const store::StoredFile file = *file_;
    take_piece(out, file, piece);
    co_return true;
}

void NdjsonExport::take_piece(std::string& out, const store::StoredFile& file, std::string_view piece) {
    file_sent_ = (file_ ? file_sent_ : 0) + piece.size();
    if (!piece.empty()) {
        append_file_data_line(out, file.id, piece);
    }
    if (file_sent_ < static_cast<std::uint64_t>(file.bytes)) {
        file_ = file;
    } else {
        file_.reset();
    }
}

}  // namespace confab::transfer
