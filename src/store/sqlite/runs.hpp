// Runs: beginning one (input items, run row, title and prompt plan at once), finishing it, reading it back, forgetting
// it. The meaning of each call is that of RunStore. The log of a run's events is in run_chunks.hpp.
#pragma once

#include <utility>
#include <vector>

#include "store/sqlite/connection.hpp"
#include "store/store.hpp"

namespace confab::store::sqlite {

Result<BegunRun> begin_run(Connection& db, const NewRun& run);
Status finish_run(Connection& db, const FinishRun& finish);

Result<Run> find_run(Connection& db, UserNo user, ResponseId id);
Status delete_run(Connection& db, UserNo user, ResponseId id);
Result<std::vector<Item>> list_prompt_items(
    Connection& db,
    ConversationNo conversation,
    BranchNo branch,
    Position position,
    Position head
);
Result<Page<Item>> list_input_items(Connection& db, UserNo user, ResponseId id, const PageRequest<ItemId>& request);

// The newest run there is; runs up to it that are not final were interrupted by the end of an earlier process.
Result<RunNo> find_newest_run(Connection& db);
Result<std::vector<std::pair<Run, std::vector<RunChunk>>>> list_unfinished_runs(
    Connection& db,
    RunNo newest,
    std::size_t limit
);

}  // namespace confab::store::sqlite
