#include "transfer/piece_sink.hpp"

namespace confab::transfer {

namespace {

using base::Result;
using base::Status;
using net::Task;

constexpr std::size_t kPiecesMax = 64;  // in one operation: each looks its conversation up
constexpr int kAttemptsMax = 600;
constexpr std::chrono::milliseconds kRetryPause{100};

}  // namespace

std::size_t bytes_of(const store::ImportPiece& piece) {
    std::size_t bytes = piece.title.size() + piece.instructions.size() + piece.metadata.size();
    for (const store::ImportItem& item : piece.items) {
        bytes += item.item.body.size();
        bytes += item.run ? item.run->model.size() + item.run->usage.size() : 0;
    }
    return bytes;
}

Task<Result<std::vector<store::ImportedPiece>>> PieceSink::send(std::vector<store::ImportPiece> pieces) {
    for (int attempt = 1;; ++attempt) {
        CO_TRY_VOID(co_await between_());
        std::vector<store::ImportPiece> copy = pieces;
        auto done = co_await store_.import_pieces(importing_.user, importing_.user_id, std::move(copy));
        if (done || done.error().errc != base::Errc::unavailable || attempt == kAttemptsMax) {
            co_return done;
        }
        co_await net::sleep_for(kRetryPause);
    }
}

void PieceSink::note(const store::ImportedPiece& done, std::size_t items, const std::string& where) {
    if (done.refused) {
        report_.add_problem(where, *done.refused);
        report_.count_messages(0, static_cast<std::int64_t>(items));
        return;
    }
    report_.count_messages(done.added, static_cast<std::int64_t>(items) - done.added);
    if (done.added > 0 && counted_ != done.conversation) {
        counted_ = done.conversation;
        report_.count_conversation();
    }
}

Task<Status> PieceSink::flush() {
    if (waiting_.empty()) {
        co_return Status{};
    }
    std::vector<std::size_t> counts;
    for (const store::ImportPiece& piece : waiting_) {
        counts.push_back(piece.items.size());
    }
    items_ = 0;
    bytes_ = 0;
    auto pieces = std::exchange(waiting_, {});
    const auto wheres = std::exchange(wheres_, {});
    CO_TRY(const auto done, co_await send(std::move(pieces)));
    for (std::size_t i = 0; i < done.size(); ++i) {
        note(done[i], counts[i], wheres[i]);
    }
    co_return Status{};
}

Task<Status> PieceSink::add(store::ImportPiece piece, std::string where) {
    const std::size_t bytes = bytes_of(piece);
    const bool full = items_ + piece.items.size() > store::kImportItemsMax ||
                      bytes_ + bytes > store::kImportBytesMax || waiting_.size() >= kPiecesMax;
    if (full) {
        CO_TRY_VOID(co_await flush());
    }
    items_ += piece.items.size();
    bytes_ += bytes;
    waiting_.push_back(std::move(piece));
    wheres_.push_back(std::move(where));
    co_return Status{};
}

Task<Result<store::ImportedPiece>> PieceSink::write(store::ImportPiece piece, std::string where) {
    CO_TRY_VOID(co_await flush());
    const std::size_t items = piece.items.size();
    std::vector<store::ImportPiece> pieces;
    pieces.push_back(std::move(piece));
    CO_TRY(auto done, co_await send(std::move(pieces)));
    note(done.front(), items, where);
    co_return std::move(done.front());
}

}  // namespace confab::transfer
