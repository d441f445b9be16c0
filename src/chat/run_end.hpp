// How a run ended, and the row that says so.
#pragma once

#include "base/error.hpp"
#include "chat/event_json.hpp"
#include "llm/events.hpp"
#include "store/rows.hpp"

namespace confab::chat {

class Run;

inline constexpr std::string_view kInterrupted =
    "interrupted";  // why a run is incomplete that the server's end cut off

// From what the model server said and what was asked of us meanwhile.
ResponseEnd end_of(const Run& run, const base::Result<llm::Outcome>& outcome);

// What the store is told of a run's end: status, usage, and the answer's item if there is a text.
store::FinishRun finish_row(store::RunNo no, const ResponseEnd& end);

}  // namespace confab::chat
