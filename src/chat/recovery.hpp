// Recovery: closing the runs that a crash left in progress. They become incomplete with their durable text.
//
// Viewers may have seen events that were not durable, but fewer than kShownAheadMax of them. So the closing events are
// numbered from that many after the durable ones on: whoever comes back with the last number it saw still gets the end.
#pragma once

#include "chat/event_log.hpp"
#include "store/store.hpp"

namespace confab::chat {

// Called once, before any other run. Returns how many runs were closed.
net::Task<base::Result<std::size_t>> recover_runs(store::RunStore& store);

// Whether this stretch of a stored log is what recovery wrote: the only one that may begin later than the one before it
// ends.
bool closes_after_crash(const store::Run& run, const EventLog& stretch);

}  // namespace confab::chat
