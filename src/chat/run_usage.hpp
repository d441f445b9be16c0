// What a run took: how its Response says it, what the ledger is told, and what its ticket is charged.
#pragma once

#include <string>

#include "chat/run.hpp"
#include "chat/usage_book.hpp"

namespace confab::chat {

// What the ledger wants to know of the asking.
struct Asked {
    std::string upstream;            // its name; empty: nobody was asked
    std::int64_t prompt_tokens = 0;  // estimated
};

// The `usage` of a Response, a JSON object.
std::string render_usage(const llm::Usage& usage);

// Of a run that was closed: what the server counted, else an estimate of what was sent and came. `book` may be null: then
// nothing costs anything.
store::UsageCount count_usage(
    const Run& run,
    const base::Result<llm::Outcome>& outcome,
    const Asked& asked,
    const UsageBook* book
);

// The run's ticket is charged and given back; what is not stored goes into the book, which may be null.
void settle_usage(Run& run, const store::UsageCount& taken, const Asked& asked, UsageBook* book);

}  // namespace confab::chat
