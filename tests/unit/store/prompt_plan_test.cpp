#include "store/sqlite/prompt_plan.hpp"

#include <numeric>
#include <random>

#include "store_fixture.hpp"

namespace confab::store {
namespace {

class PromptPlanTest : public StoreTest {
protected:
    // A turn in the conversation with a question and an answer of so many tokens; returns the plan of its prompt.
    PromptPlan turn(std::int64_t question, std::int64_t reply, std::int64_t budget) {
        NewRun run = new_run(ada_, {user_item("q", question)});
        run.target.conversation = conversation_;
        run.prompt_tokens_max = budget;
        const BegunRun begun = good(run_task(store_->begin_run(run)));
        finish(begun.no, {answer_item("a", reply)});
        return begun.prompt;
    }

    UserNo ada_ = make_user("ada@example.org");
    ConversationId conversation_ = make_conversation(ada_).id;
};

TEST_F(PromptPlanTest, KeepsItsAnchorAndMovesItRarely) {
    constexpr std::int64_t kBudget = 3'200;
    PromptPlan last;
    int moves = 0;
    for (int i = 0; i < 200; ++i) {
        const PromptPlan plan = turn(20, 40, kBudget);
        EXPECT_LE(plan.tokens, kBudget);
        EXPECT_EQ(plan.head, 2 * i + 1);
        EXPECT_EQ(plan.tokens, (plan.head - plan.anchor) / 2 * 60 + 20);
        EXPECT_EQ(plan.anchor % 2, 1) << "a turn begins with the user's item";
        if (plan.anchor != last.anchor) {
            ++moves;
            EXPECT_LE(plan.tokens, kBudget * 6 / 10);
            EXPECT_GT(plan.tokens + 60, kBudget * 6 / 10) << "no more is left out than needed";
        }
        last = plan;
    }
    // 0.4 of the budget is 21 turns: 200 turns, of which the first 53 fit.
    EXPECT_LE(moves, 8);
    EXPECT_GE(moves, 6);
}

// The rule of prompt_plan.hpp, by walking over all items. Odd positions are the user's.
Position expected_anchor(const std::vector<std::int64_t>& tokens, Position anchor, std::int64_t budget) {
    const auto total_from = [&](Position position) {
        return std::accumulate(tokens.begin() + (position - 1), tokens.end(), std::int64_t{0});
    };
    const bool too_little = anchor > 1 && total_from(anchor) < budget / 10 * 3;
    if (total_from(anchor) <= budget && !too_little) {
        return anchor;
    }
    const auto newest = static_cast<Position>(tokens.size());
    for (Position position = 1; position <= newest; position += 2) {
        if (total_from(position) <= budget / 10 * 6) {
            return position;
        }
    }
    return newest;
}

TEST_F(PromptPlanTest, AgreesWithALinearSearch) {
    std::mt19937 random(3);
    std::vector<std::int64_t> tokens;  // of items 1, 2, ...
    Position anchor = 1;
    for (int i = 0; i < 400; ++i) {
        const std::int64_t budget = i < 200 ? 400 : 100 + random() % 2'000;
        const auto question = static_cast<std::int64_t>(random() % 20 == 0 ? 300 : random() % 50);
        const auto reply = static_cast<std::int64_t>(random() % 200);
        tokens.push_back(question);
        anchor = expected_anchor(tokens, anchor, budget);
        const PromptPlan plan = turn(question, reply, budget);
        ASSERT_EQ(plan.anchor, anchor) << "turn " << i;
        ASSERT_EQ(plan.tokens, std::accumulate(tokens.begin() + (anchor - 1), tokens.end(), std::int64_t{0}));
        tokens.push_back(reply);
    }
}

TEST_F(PromptPlanTest, AlwaysHoldsTheNewestQuestion) {
    turn(10, 10, 100);
    const PromptPlan plan = turn(5'000, 10, 100);
    EXPECT_EQ(plan.anchor, 3);
    EXPECT_EQ(plan.tokens, 5'000);
    const PromptPlan none = turn(7, 7, 0);
    EXPECT_EQ(none.anchor, none.head);
    EXPECT_EQ(none.tokens, 7);
}

TEST_F(PromptPlanTest, HoldsTheNewestQuestionAlsoWhenMoreFollowsIt) {
    turn(10, 10, 100);
    NewRun run = new_run(ada_, {user_item("q", 5'000), new_item(ItemRole::developer, "mind this", 10)});
    run.target.conversation = conversation_;
    run.prompt_tokens_max = 100;
    const PromptPlan plan = good(run_task(store_->begin_run(run))).prompt;
    EXPECT_EQ(plan.anchor, 3);
    EXPECT_EQ(plan.head, 4);
}

TEST_F(PromptPlanTest, MovesBackWhenTheBudgetGrows) {
    for (int i = 0; i < 40; ++i) {
        turn(10, 10, 10'000);
    }
    EXPECT_EQ(turn(10, 10, 10'000).anchor, 1);
    EXPECT_GT(turn(10, 10, 100).anchor, 70);
    EXPECT_EQ(turn(10, 10, 10'000).anchor, 1);
}

TEST_F(PromptPlanTest, StartsInTheMiddleOfATurnThatHasNoEnd) {
    std::vector<NewItem> items{user_item("q", 1)};
    for (int i = 0; i < 2'500; ++i) {
        items.push_back(answer_item("a", 1));
    }
    conversation_ = make_conversation(ada_, items).id;
    NewRun run = new_run(ada_, {new_item(ItemRole::developer, "go on", 1)});
    run.target.conversation = conversation_;
    run.prompt_tokens_max = 100;
    const BegunRun begun = good(run_task(store_->begin_run(run)));
    EXPECT_EQ(begun.prompt.tokens, 60);
}

TEST_F(PromptPlanTest, ABranchTakesTheAnchorAlong) {
    std::vector<ResponseId> ids;
    RunTarget target{conversation_, {}};
    for (int i = 0; i < 50; ++i) {
        NewRun run = new_run(ada_, {user_item("q", 10)});
        run.target = target;
        run.prompt_tokens_max = 200;
        ids.push_back(run.id);
        const BegunRun begun = good(run_task(store_->begin_run(run)));
        finish(begun.no, {answer_item("a", 10)});
    }
    NewRun late = new_run(ada_, {user_item("q", 10)});
    late.target.previous_response = ids[48];
    late.prompt_tokens_max = 200;
    const PromptPlan plan = good(run_task(store_->begin_run(late))).prompt;
    EXPECT_LE(plan.tokens, 200);
    EXPECT_GT(plan.anchor, 80);
    NewRun early = new_run(ada_, {user_item("q", 10)});
    early.target.previous_response = ids[1];
    early.prompt_tokens_max = 200;
    EXPECT_EQ(good(run_task(store_->begin_run(early))).prompt.anchor, 1);
    NewRun middle = new_run(ada_, {user_item("q", 10)});
    middle.target.previous_response = ids[24];
    middle.prompt_tokens_max = 200;
    const PromptPlan cut = good(run_task(store_->begin_run(middle))).prompt;
    EXPECT_EQ(cut.head, 51);
    EXPECT_LE(cut.tokens, 120);
    EXPECT_GT(cut.tokens, 80);
}

}  // namespace
}  // namespace confab::store
