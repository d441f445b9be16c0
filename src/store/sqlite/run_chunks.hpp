// The logs of runs: stretches of events, appended by all runs into one table in the order of their writing.
//
// The table has no index by run, which would cost 13 times the log's own bytes; runs.first_chunk and runs.last_chunk
// bound the range a run's chunks lie in, among those of the runs that were in progress beside it.
#pragma once

#include <vector>

#include "store/rows.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

// Chunks of runs that are unknown or final are dropped.
Status append_run_chunks(Connection& db, const std::vector<RunChunk>& chunks);

// From the chunk that holds `seq` on; at most 256 KiB but at least one chunk.
Result<std::vector<RunChunk>> list_run_chunks(Connection& db, RunNo run, std::int64_t seq);
Result<std::vector<RunChunk>> list_all_chunks(Connection& db, RunNo run);

// One bounded step; true: there may be more.
Result<bool> delete_chunks_step(Connection& db, UnixSeconds finished_before);

}  // namespace confab::store::sqlite
