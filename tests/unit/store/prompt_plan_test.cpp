#include "store/sqlite/prompt_plan.hpp"

#include <numeric>
#include <random>
#include <utility>

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

// An item of an agent's turn, with its type in its id.
NewItem typed_item(ItemType type, ItemRole role, std::int64_t tokens) {
    NewItem item = new_item(role, "x", tokens);
    item.id = ItemId::make(type);
    return item;
}

// One turn of an agent: the question, then steps of two calls and their outputs, 100 tokens each step.
TEST_F(PromptPlanTest, NeverPartsACallFromItsOutput) {
    std::vector<NewItem> items{user_item("q", 50)};
    for (int step = 0; step < 40; ++step) {
        items.push_back(typed_item(ItemType::reasoning, ItemRole::assistant, 10));
        items.push_back(typed_item(ItemType::function_call, ItemRole::assistant, 20));
        items.push_back(typed_item(ItemType::function_call, ItemRole::assistant, 20));
        items.push_back(typed_item(ItemType::function_call_output, ItemRole::tool, 25));
        items.push_back(typed_item(ItemType::function_call_output, ItemRole::tool, 25));
    }
    conversation_ = make_conversation(ada_, items).id;
    Position anchor = 0;
    int moves = 0;
    for (int step = 40; step < 80; ++step) {
        std::vector<NewItem> more;
        if (step > 40) {
            more = {
                typed_item(ItemType::function_call_output, ItemRole::tool, 25),
                typed_item(ItemType::function_call_output, ItemRole::tool, 25)
            };
        }
        NewRun run = new_run(ada_, more);
        run.target.conversation = conversation_;
        run.prompt_tokens_max = 1'000;
        const BegunRun begun = good(run_task(store_->begin_run(run)));
        EXPECT_LE(begun.prompt.tokens, 1'000) << step;
        EXPECT_EQ(begun.prompt.question, 1) << "what the agent was asked stays in front";
        EXPECT_EQ((begun.prompt.anchor - 2) % 5, 0) << "a step begins with its reasoning";
        moves += std::exchange(anchor, begun.prompt.anchor) != begun.prompt.anchor ? 1 : 0;
        const BegunRun again = good(run_task(store_->begin_run(run)));
        EXPECT_EQ(again.prompt.question, 1);
        finish(
            begun.no,
            {typed_item(ItemType::reasoning, ItemRole::assistant, 10),
             typed_item(ItemType::function_call, ItemRole::assistant, 20),
             typed_item(ItemType::function_call, ItemRole::assistant, 20)}
        );
    }
    EXPECT_LE(moves, 12) << "about every fourth step";
}

TEST_F(PromptPlanTest, KeepsALateOutputWithItsCall) {
    std::vector<NewItem> items{user_item("q", 10)};
    for (int i = 0; i < 50; ++i) {
        items.push_back(typed_item(ItemType::function_call, ItemRole::assistant, 10));
        items.push_back(typed_item(ItemType::function_call, ItemRole::assistant, 10));
        items.push_back(typed_item(ItemType::function_call_output, ItemRole::tool, 10));
        items.push_back(answer_item("still waiting for the other", 10));
        items.push_back(typed_item(ItemType::function_call_output, ItemRole::tool, 10));
    }
    for (std::int64_t budget = 60; budget < 500; budget += 7) {
        for (NewItem& item : items) {
            item.id = ItemId::make(item.id.type());
        }
        const ConversationId id = make_conversation(ada_, items).id;
        NewRun run = new_run(ada_, {});
        run.target.conversation = id;
        run.prompt_tokens_max = budget;
        const PromptPlan plan = good(run_task(store_->begin_run(run))).prompt;
        EXPECT_EQ((plan.anchor - 2) % 5, 0) << budget;
        EXPECT_LE(plan.tokens, std::max<std::int64_t>(budget, 60)) << budget;
    }
}

// Thousands of random turns against the two promises: never over the budget, and the prefix breaks rarely.
TEST_F(PromptPlanTest, HoldsItsPromisesOverThousandsOfRandomTurns) {
    std::mt19937 random(11);
    const auto between = [&](std::int64_t low, std::int64_t high) {
        return low + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(high - low + 1));
    };
    constexpr std::int64_t kBudget = 32'000;
    constexpr int kTurns = 2'000;
    Position anchor = 1;
    int moves = 0;
    for (int i = 0; i < kTurns; ++i) {
        const PromptPlan plan = turn(between(20, 380), between(100, 700), kBudget);  // 600 on average
        ASSERT_LE(plan.tokens, kBudget);
        ASSERT_EQ(plan.anchor % 2, 1);
        ASSERT_GE(plan.anchor, anchor);
        moves += std::exchange(anchor, plan.anchor) != plan.anchor ? 1 : 0;
    }
    RecordProperty("turns_a_move", kTurns / moves);
    EXPECT_GE(kTurns / moves, 19);
    EXPECT_LE(kTurns / moves, 23);
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
    const auto begin_alone = [this](NewRun& run) {
        const BegunRun begun = good(run_task(store_->begin_run(run)));
        finish(begun.no, {answer_item("a", 10)});
        return begun.prompt;
    };
    const PromptPlan plan = begin_alone(late);
    EXPECT_LE(plan.tokens, 200);
    EXPECT_GT(plan.anchor, 80);
    NewRun early = new_run(ada_, {user_item("q", 10)});
    early.target.previous_response = ids[1];
    early.prompt_tokens_max = 200;
    EXPECT_EQ(begin_alone(early).anchor, 1);
    NewRun middle = new_run(ada_, {user_item("q", 10)});
    middle.target.previous_response = ids[24];
    middle.prompt_tokens_max = 200;
    const PromptPlan cut = begin_alone(middle);
    EXPECT_EQ(cut.head, 51);
    EXPECT_LE(cut.tokens, 120);
    EXPECT_GT(cut.tokens, 80);
}

}  // namespace
}  // namespace confab::store
