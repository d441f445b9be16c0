#include "store/sqlite/run_prompt.hpp"

#include "store/sqlite/conversations.hpp"
#include "store/sqlite/items.hpp"
#include "store/sqlite/summaries.hpp"

namespace confab::store::sqlite {

namespace {

// The first item from `first` on that was not deleted; looked for in one segment only, which is enough but for a path
// whose items there were all deleted.
Result<std::optional<ItemId>> item_at(
    Connection& db,
    ConversationNo conversation,
    BranchNo branch,
    Position first,
    Position last
) {
    TRY(const auto path, load_path(db, conversation, branch, first, last));
    for (const Segment& segment : path) {
        auto found = db.use(
            "SELECT b.item_id FROM items i CROSS JOIN bodies b ON b.mid = i.mid WHERE i.conv = ?1 AND i.br = ?2 "
            "AND i.pos BETWEEN ?3 AND ?4 AND i.deleted_at IS NULL ORDER BY i.pos LIMIT 1",
            conversation,
            segment.branch,
            segment.first,
            segment.last
        );
        TRY(const bool row, found.step());
        if (row) {
            return found.get<ItemId>(0);
        }
    }
    return std::nullopt;
}

}  // namespace

Result<bool> compaction_is_on(Connection& db, ConversationNo conversation) {
    auto found = db.use(
        "SELECT CASE compaction WHEN 0 THEN (SELECT value IN ('auto', '\"auto\"') FROM settings "
        "WHERE name = 'compaction') ELSE compaction = 2 END FROM conversations WHERE conv = ?1",
        conversation
    );
    TRY(const bool row, found.step());
    return row && !found.is_null(0) && found.get<bool>(0);
}

Result<PlannedPrompt> plan_run_prompt(Connection& db, const PromptWanted& wanted, Branch& branch) {
    PlannedPrompt planned;
    if (wanted.truncation == Truncation::disabled) {
        if (branch.head_tokens > wanted.tokens_max) {
            return base::invalid(
                "truncation",
                "The conversation is longer than the model's context, and 'truncation' is 'disabled'.",
                "context_length_exceeded"
            );
        }
        branch.anchor = 1;
        planned.plan = {1, branch.head, branch.head_tokens};
        return planned;
    }
    const bool short_one = branch.anchor == 1 && branch.head_tokens <= wanted.tokens_max / 2;
    bool on = false;  // a short conversation does not pay for the question
    if (!short_one) {
        TRY(on, compaction_is_on(db, wanted.conversation));
    }
    if (!on) {
        TRY(planned.plan, plan_prompt(db, wanted.conversation, branch, wanted.tokens_max));
        return planned;
    }
    const std::int64_t reserve = summary_reserve(wanted.tokens_max);
    TRY(auto newest, find_summary(db, wanted.conversation, branch.no, branch.head - 1));
    TRY(planned.plan,
        plan_prompt(db, wanted.conversation, branch, wanted.tokens_max - reserve, newest ? newest->upto : 0));
    if (newest && newest->upto >= planned.plan.anchor) {
        TRY(newest, find_summary(db, wanted.conversation, branch.no, planned.plan.anchor - 1));
    }
    if (newest && newest->tokens <= reserve) {  // one made for a model with a larger context may not fit
        planned.summary = std::move(newest);
    }
    return planned;
}

Result<PlannedPrompt> replan_run(Connection& db, RunNo run, std::int64_t tokens_max) {
    ConversationNo conversation{};
    BranchNo branch_no{};
    {
        auto found = db.use("SELECT conv, br FROM runs WHERE run = ?1 AND status < 2", run);
        TRY(const bool row, found.step());
        if (!row) {
            return base::not_found("There is no such response.");
        }
        conversation = found.get<ConversationNo>(0);
        branch_no = found.get<BranchNo>(1);
    }
    TRY(Branch branch, load_branch(db, conversation, branch_no));
    TRY(auto planned, plan_run_prompt(db, {conversation, tokens_max}, branch));
    TRY_VOID(save_branch(db, conversation, branch));
    TRY_VOID(db.run(
        "UPDATE runs SET prompt_anchor = ?2, prompt_tok = ?3 WHERE run = ?1",
        run,
        planned.plan.anchor,
        planned.plan.tokens
    ));
    return planned;
}

Result<ContextView> view_context(Connection& db, UserNo user, ConversationId id, std::int64_t tokens_max) {
    TRY(const ConversationHandle handle, open_conversation(db, user, id));
    ContextView view;
    TRY(view.compaction, compaction_is_on(db, handle.no));
    TRY(Branch branch, load_branch(db, handle.no, handle.active_branch));
    TRY(view.prompt, plan_run_prompt(db, {handle.no, tokens_max}, branch));
    const PromptPlan& plan = view.prompt.plan;
    if (plan.head > 0) {
        TRY(view.first_item, item_at(db, handle.no, branch.no, plan.anchor, plan.head));
    }
    if (view.prompt.summary) {
        const Position upto = view.prompt.summary->upto;
        TRY(view.summary_item, item_at(db, handle.no, branch.no, upto, upto));
    }
    return view;
}

}  // namespace confab::store::sqlite
