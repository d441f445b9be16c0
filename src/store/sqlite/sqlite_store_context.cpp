// SqliteStore's calls about what a model sees: each goes to the thread it belongs to.
#include "store/sqlite/run_prompt.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/sqlite/summaries.hpp"

namespace confab::store {

using sqlite::Connection;

Task<Result<PlannedPrompt>> SqliteStore::replan_run(RunNo run, std::int64_t tokens_max) {
    auto work = [run, tokens_max](Connection& db) { return sqlite::replan_run(db, run, tokens_max); };
    return write(std::move(work));
}

Task<Result<ContextView>> SqliteStore::view_context(UserNo user, ConversationId id, std::int64_t tokens_max) {
    auto work = [user, id, tokens_max](Connection& db) { return sqlite::view_context(db, user, id, tokens_max); };
    return read(std::move(work));
}

Task<Result<std::optional<SummaryPlan>>> SqliteStore::plan_summary(
    ConversationNo conversation,
    BranchNo branch,
    std::int64_t tokens_max,
    std::int64_t step_tokens_max
) {
    auto work = [conversation, branch, tokens_max, step_tokens_max](Connection& db) {
        return sqlite::plan_summary(db, conversation, branch, tokens_max, step_tokens_max);
    };
    return read(std::move(work));
}

Task<Result<bool>> SqliteStore::save_summary(SummaryPlan plan, Summary summary) {
    auto work = [plan = std::move(plan), summary = std::move(summary)](Connection& db) {
        return sqlite::save_summary(db, plan, summary);
    };
    return write(std::move(work));
}

Task<Result<std::vector<TokenFactor>>> SqliteStore::list_token_factors() {
    auto work = [](Connection& db) { return sqlite::list_token_factors(db); };
    return read(std::move(work));
}

Task<Status> SqliteStore::save_token_factor(TokenFactor factor) {
    auto work = [factor = std::move(factor)](Connection& db) { return sqlite::save_token_factor(db, factor); };
    return write(std::move(work));
}

}  // namespace confab::store
