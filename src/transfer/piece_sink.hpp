// PieceSink: hands pieces of conversations to the store, many small ones in one operation, and counts what came of it.
//
// One for an import, on its thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "store/import_store.hpp"
#include "transfer/import_report.hpp"

namespace confab::transfer {

// Whose import it is.
struct Importing {
    store::UserNo user{};
    store::UserId user_id;
};

class PieceSink {
public:
    // Called before each operation; its error ends the import.
    using Between = std::function<net::Task<base::Status>()>;

    PieceSink(store::ImportStore& store, Importing importing, ImportReport& report, Between between)
        : store_(store), importing_(importing), report_(report), between_(std::move(between)) {}

    // A whole conversation that fits into one operation. `where` names it in problems.
    net::Task<base::Status> add(store::ImportPiece piece, std::string where);

    // One piece of several, at once, after those that wait.
    net::Task<base::Result<store::ImportedPiece>> write(store::ImportPiece piece, std::string where);

    // What waits still. Errors: those of the store; `unavailable` only after a minute of trying.
    net::Task<base::Status> flush();

private:
    net::Task<base::Result<std::vector<store::ImportedPiece>>> send(std::vector<store::ImportPiece> pieces);
    void note(const store::ImportedPiece& done, std::size_t items, const std::string& where);

    store::ImportStore& store_;
    const Importing importing_;
    ImportReport& report_;
    const Between between_;
    std::vector<store::ImportPiece> waiting_;
    std::vector<std::string> wheres_;  // of waiting_
    std::size_t items_ = 0;
    std::size_t bytes_ = 0;
    std::optional<store::ConversationNo> counted_;  // the conversation of several pieces that was counted last
};

std::size_t bytes_of(const store::ImportPiece& piece);

}  // namespace confab::transfer
