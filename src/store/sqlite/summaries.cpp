#include "store/sqlite/summaries.hpp"

#include <algorithm>

#include "store/sqlite/prompt_plan.hpp"
#include "store/sqlite/run_prompt.hpp"

namespace confab::store::sqlite {

namespace {

struct Standing {
    bool open = false;  // not deleted
    std::int64_t epoch = 0;
};

Result<Standing> load_standing(Connection& db, ConversationNo conversation) {
    auto found = db.use("SELECT deleted_at IS NULL, summary_epoch FROM conversations WHERE conv = ?1", conversation);
    TRY(const bool row, found.step());
    return row ? Standing{found.get<bool>(0), found.integer(1)} : Standing{};
}

// Where the summary to be made now ends. Before the prompt is full that is where its anchor will move to: while it
// grows to the whole budget, 0.4 of it come in, so that 0.6 will be left.
Result<Position> coming_end(Connection& db, ConversationNo conversation, Branch& branch, std::int64_t tokens_max) {
    TRY(const auto newest, find_summary(db, conversation, branch.no, branch.head - 1));
    TRY(const PromptPlan now, plan_prompt(db, conversation, branch, tokens_max, newest ? newest->upto : 0));
    if (now.tokens <= tokens_max / 4 * 3) {
        return now.anchor - 1;
    }
    const std::int64_t kept = std::max(now.tokens - tokens_max / 10 * 4, tokens_max / 10);
    TRY(const Position coming, find_anchor(db, conversation, branch, {kept, tokens_max}));
    return std::max(coming, now.anchor) - 1;
}

}  // namespace

Result<std::optional<Summary>> find_summary(
    Connection& db,
    ConversationNo conversation,
    BranchNo branch,
    Position last
) {
    while (last >= 1) {
        TRY(const Branch owner, load_branch(db, conversation, branch));
        auto found = db.use(
            "SELECT upto_pos, tok, body, created_at FROM summaries WHERE conv = ?1 AND br = ?2 AND upto_pos <= ?3 "
            "ORDER BY upto_pos DESC LIMIT 1",
            conversation,
            branch,
            last
        );
        TRY(const bool row, found.step());
        if (row) {
            return Summary{found.integer(0), found.integer(1), found.get<std::string>(2), found.integer(3)};
        }
        last = std::min(last, owner.fork);
        branch = owner.parent;
    }
    return std::nullopt;
}

Result<std::optional<SummaryPlan>> plan_summary(
    Connection& db,
    ConversationNo conversation,
    BranchNo branch_no,
    std::int64_t tokens_max,
    std::int64_t step_tokens_max
) {
    TRY(const Standing standing, load_standing(db, conversation));
    TRY(const bool on, compaction_is_on(db, conversation));
    if (!standing.open || !on) {
        return std::nullopt;
    }
    TRY(Branch branch, load_branch(db, conversation, branch_no));
    if (branch.head == 0) {
        return std::nullopt;
    }
    TRY(const Position upto, coming_end(db, conversation, branch, tokens_max - summary_reserve(tokens_max)));
    TRY(auto previous, find_summary(db, conversation, branch_no, upto));
    SummaryPlan plan{conversation, branch_no, previous ? previous->upto + 1 : 1, upto, standing.epoch, {}};
    if (plan.from > plan.upto) {
        return std::nullopt;
    }
    TRY(const Position first, first_within(db, conversation, branch, plan.upto, step_tokens_max));
    plan.from = std::max(plan.from, first);
    plan.previous = std::move(previous);
    return plan;
}

Result<bool> save_summary(Connection& db, const SummaryPlan& plan, const Summary& summary) {
    TRY(const Standing standing, load_standing(db, plan.conversation));
    if (!standing.open || standing.epoch != plan.epoch) {
        return false;
    }
    TRY(const auto path, load_path(db, plan.conversation, plan.branch, plan.upto, plan.upto));
    TRY_VOID(db.run(
        "INSERT OR REPLACE INTO summaries (conv, br, upto_pos, tok, created_at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        plan.conversation,
        path.front().branch,
        plan.upto,
        summary.tokens,
        summary.created_at,
        summary.text
    ));
    TRY_VOID(db.run(
        "DELETE FROM summaries WHERE summary = (SELECT min(summary) FROM summaries WHERE conv = ?1) "
        "AND (SELECT count(*) FROM summaries WHERE conv = ?1) > ?2",
        plan.conversation,
        kSummariesMax
    ));
    return true;
}

// Those on other branches that end later go as well: to know which of them cover the item would cost more than making
// them anew.
Status drop_summaries(Connection& db, const ItemPlace& item) {
    TRY_VOID(db.run("DELETE FROM summaries WHERE conv = ?1 AND upto_pos >= ?2", item.conversation, item.position));
    return db.run("UPDATE conversations SET summary_epoch = summary_epoch + 1 WHERE conv = ?1", item.conversation);
}

Status wipe_summaries(Connection& db, ConversationNo conversation) {
    return db.run("DELETE FROM summaries WHERE conv = ?1", conversation);
}

Result<std::vector<TokenFactor>> list_token_factors(Connection& db) {
    auto rows = db.use(
        "SELECT upstream, model, thousandths, samples, context_tokens FROM token_factors ORDER BY upstream, model "
        "LIMIT ?1",
        kTokenFactorsMax
    );
    std::vector<TokenFactor> factors;
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            return factors;
        }
        TokenFactor factor;
        factor.upstream = rows.get<std::string>(0);
        factor.model = rows.get<std::string>(1);
        factor.thousandths = rows.integer(2);
        factor.samples = rows.integer(3);
        factor.context_tokens = rows.integer(4);
        factors.push_back(std::move(factor));
    }
}

Status save_token_factor(Connection& db, const TokenFactor& factor) {
    return db.run(
        "INSERT OR REPLACE INTO token_factors (upstream, model, thousandths, samples, context_tokens) "
        "VALUES (?1, ?2, ?3, ?4, ?5)",
        factor.upstream,
        factor.model,
        factor.thousandths,
        factor.samples,
        factor.context_tokens
    );
}

}  // namespace confab::store::sqlite
