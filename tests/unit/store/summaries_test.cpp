// Summaries: which one a run's prompt begins with, on which branch, and that they go with what they summarise.
#include "store_fixture.hpp"

namespace confab::store {
namespace {

class SummariesTest : public StoreTest {
protected:
    static constexpr std::int64_t kBudget = 1'000;  // of which summary_reserve is 125

    SummariesTest() { set_compaction(Compaction::automatic); }

    void set_compaction(Compaction compaction) {
        ConversationPatch patch;
        patch.compaction = compaction;
        good(run_task(store_->update_conversation(ada_, conversation_, patch)));
    }

    struct Turn {
        ResponseId id;
        BegunRun begun;
    };

    // A turn of 20 and 20 tokens.
    Turn turn(RunTarget target = {}) {
        NewRun run = new_run(ada_, {user_item("q", 20)});
        run.target = target.previous_response ? target : RunTarget{conversation_, {}};
        run.prompt_tokens_max = kBudget;
        Turn made{run.id, good(run_task(store_->begin_run(run)))};
        finish(made.begun.no, {answer_item("a", 20)});
        return made;
    }

    std::optional<SummaryPlan> plan(const BegunRun& begun, std::int64_t step_tokens_max = 100'000) {
        return good(run_task(store_->plan_summary(begun.conversation_no, begun.branch, kBudget, step_tokens_max)));
    }

    static Summary summary(const SummaryPlan& plan, const std::string& text, std::int64_t tokens = 10) {
        return {plan.upto, tokens, text, 1'700'000'000};
    }

    bool save(const SummaryPlan& plan, const std::string& text) {
        return good(run_task(store_->save_summary(plan, summary(plan, text))));
    }

    // Turns until there is something to summarise.
    SummaryPlan turns_until_planned(int turns_max = 60) {
        for (int i = 0; i < turns_max; ++i) {
            last_ = turn();
            if (auto planned = plan(last_.begun)) {
                return *planned;
            }
        }
        ADD_FAILURE() << "nothing to summarise";
        return {};
    }

    ItemId item_at(Position position) {
        const auto page =
            good(run_task(store_->list_items(ada_, conversation_, {std::nullopt, Order::ascending, 100})));
        return page.rows.at(static_cast<std::size_t>(position - 1)).id;
    }

    UserNo ada_ = make_user("ada@example.org");
    ConversationId conversation_ = make_conversation(ada_).id;
    Turn last_;
};

TEST_F(SummariesTest, AreMadeBeforeThePromptIsFullAndUsedWhenItIs) {
    const SummaryPlan first = turns_until_planned();
    EXPECT_EQ(last_.begun.prompt.anchor, 1) << "still everything is sent";
    EXPECT_EQ(first.from, 1);
    EXPECT_EQ(first.upto % 2, 0) << "ends where a turn ends";
    EXPECT_FALSE(first.previous);
    EXPECT_TRUE(save(first, "notes 1"));
    EXPECT_FALSE(plan(last_.begun)) << "made already";
    int unsummarised = 0;
    for (int i = 0; i < 60; ++i) {
        last_ = turn();
        const BegunRun& begun = last_.begun;
        EXPECT_LE(begun.prompt.tokens + (begun.summary ? begun.summary->tokens : 0), kBudget);
        if (begun.prompt.anchor > 1) {
            ASSERT_TRUE(begun.summary) << i;
            EXPECT_LT(begun.summary->upto, begun.prompt.anchor);
            unsummarised += begun.summary->upto + 1 < begun.prompt.anchor ? 1 : 0;
        }
        if (const auto next = plan(begun)) {
            EXPECT_EQ(next->from, begun.summary ? next->previous->upto + 1 : first.upto + 1);
            EXPECT_TRUE(save(*next, "notes"));
        }
    }
    EXPECT_EQ(unsummarised, 0) << "the anchor moved right behind a summary each time";
}

TEST_F(SummariesTest, KeepThePrefixForManyTurns) {
    Position anchor = 1;
    int moves = 0;
    for (int i = 0; i < 300; ++i) {
        last_ = turn();
        moves += std::exchange(anchor, last_.begun.prompt.anchor) != last_.begun.prompt.anchor ? 1 : 0;
        if (const auto next = plan(last_.begun)) {
            save(*next, "notes");
        }
    }
    EXPECT_GT(moves, 10);
    EXPECT_LT(moves, 50) << "0.4 of what the budget leaves is nine turns";
}

TEST_F(SummariesTest, AreNeitherMadeNorUsedWhenTurnedOff) {
    const SummaryPlan first = turns_until_planned();
    EXPECT_TRUE(save(first, "notes"));
    set_compaction(Compaction::off);
    for (int i = 0; i < 20; ++i) {
        last_ = turn();
        EXPECT_FALSE(last_.begun.summary);
        EXPECT_FALSE(plan(last_.begun));
    }
    EXPECT_GT(last_.begun.prompt.anchor, 1);
    set_compaction(Compaction::inherit);
    EXPECT_FALSE(turn().begun.summary) << "the server's setting is off until somebody turns it on";
    good(run_task(store_->put_setting("compaction", "auto")));
    EXPECT_TRUE(turn().begun.summary);
    good(run_task(store_->put_setting("compaction", "off")));
    EXPECT_FALSE(turn().begun.summary);
}

TEST_F(SummariesTest, AreGoodForBranchesThatBeginBehindThem) {
    const SummaryPlan first = turns_until_planned();
    EXPECT_TRUE(save(first, "notes"));
    std::vector<Turn> turns;
    for (int i = 0; i < 20; ++i) {
        turns.push_back(turn());
    }
    ASSERT_TRUE(turns.back().begun.summary);
    const Turn late = turn({{}, turns[17].id});
    ASSERT_NE(late.begun.branch, turns.back().begun.branch);
    ASSERT_TRUE(late.begun.summary);
    EXPECT_EQ(late.begun.summary->text, "notes");
    // One made on the branch is the branch's own.
    SummaryPlan own{late.begun.conversation_no, late.begun.branch, 1, late.begun.prompt.head, first.epoch, {}};
    EXPECT_TRUE(save(own, "of the branch"));
    for (int i = 0; i < 40; ++i) {
        EXPECT_NE(turn().begun.summary.value_or(Summary()).text, "of the branch");
    }
}

TEST_F(SummariesTest, GoWithAnItemThatTheyCover) {
    const SummaryPlan first = turns_until_planned();
    EXPECT_TRUE(save(first, "notes of a secret"));
    for (int i = 0; i < 20; ++i) {
        last_ = turn();
    }
    ASSERT_TRUE(last_.begun.summary);
    good(run_task(store_->delete_item(ada_, conversation_, item_at(first.upto + 2))));
    EXPECT_TRUE(turn().begun.summary) << "what is deleted stands behind it";
    good(run_task(store_->delete_item(ada_, conversation_, item_at(3))));
    EXPECT_FALSE(turn().begun.summary);
}

TEST_F(SummariesTest, AreNotSavedWhenAnItemWasDeletedMeanwhile) {
    const SummaryPlan first = turns_until_planned();
    good(run_task(store_->delete_item(ada_, conversation_, item_at(3))));
    EXPECT_FALSE(save(first, "notes of a secret"));
    EXPECT_TRUE(save(*plan(last_.begun), "notes without it"));
}

TEST_F(SummariesTest, GoWithTheirConversation) {
    const SummaryPlan first = turns_until_planned();
    EXPECT_TRUE(save(first, "notes of a secret"));
    good(run_task(store_->delete_conversation(ada_, conversation_)));
    EXPECT_FALSE(save(first, "notes of a secret"));
    store_->stop();
    const auto count = good(sqlite::Connection::open(path(), sqlite::Access::read_only, counters_));
    auto found = count->use("SELECT count(*) FROM summaries");
    ASSERT_TRUE(good(found.step()));
    EXPECT_EQ(found.integer(0), 0);
}

TEST_F(SummariesTest, LeaveOutWhatIsTooOldToBeReadForOne) {
    const SummaryPlan planned = turns_until_planned();
    const auto bounded = plan(last_.begun, 100);
    ASSERT_TRUE(bounded);
    EXPECT_EQ(bounded->upto, planned.upto);
    EXPECT_EQ(bounded->from, planned.upto - 4) << "five items of 20 tokens";
}

TEST_F(SummariesTest, AreFewForOneConversation) {
    SummaryPlan planned = turns_until_planned();
    const Position head = last_.begun.prompt.head;
    for (int i = 0; i < 80; ++i) {
        planned.upto = 1 + i % head;
        save(planned, "notes " + std::to_string(i));
    }
    for (Position upto = head + 1; upto < head + 80; ++upto) {
        turn();
        planned.upto = upto;
        save(planned, "later");
    }
    store_->stop();
    const auto count = good(sqlite::Connection::open(path(), sqlite::Access::read_only, counters_));
    auto found = count->use("SELECT count(*) FROM summaries");
    ASSERT_TRUE(good(found.step()));
    EXPECT_LE(found.integer(0), kSummariesMax);
}

TEST_F(SummariesTest, AreNotUsedWhenTheyAreTooLargeForTheModel) {
    const SummaryPlan first = turns_until_planned();
    good(run_task(store_->save_summary(first, summary(first, "long notes", summary_reserve(kBudget) + 1))));
    for (int i = 0; i < 10; ++i) {
        last_ = turn();
    }
    EXPECT_GT(last_.begun.prompt.anchor, 1);
    EXPECT_FALSE(last_.begun.summary);
}

TEST_F(SummariesTest, AreShownWithWhatTheModelSees) {
    const SummaryPlan first = turns_until_planned();
    EXPECT_TRUE(save(first, "notes"));
    for (int i = 0; i < 10; ++i) {
        last_ = turn();
    }
    const ContextView view = good(run_task(store_->view_context(ada_, conversation_, kBudget)));
    EXPECT_TRUE(view.compaction);
    EXPECT_EQ(view.prompt.plan.anchor, last_.begun.prompt.anchor);
    EXPECT_EQ(view.prompt.plan.head, last_.begun.prompt.head + 1);
    ASSERT_TRUE(view.prompt.summary);
    EXPECT_EQ(view.summary_item, item_at(first.upto));
    EXPECT_EQ(view.first_item, item_at(view.prompt.plan.anchor));
    EXPECT_EQ(
        errc_of(run_task(store_->view_context(make_user("b@example.org"), conversation_, 1))), base::Errc::not_found
    );
}

// ---- a run whose prompt was refused, and truncation ----

TEST_F(SummariesTest, ARefusedPromptIsPlannedShorter) {
    for (int i = 0; i < 10; ++i) {
        turn();
    }
    NewRun run = new_run(ada_, {user_item("q", 20)});
    run.target.conversation = conversation_;
    run.prompt_tokens_max = kBudget;
    const BegunRun begun = good(run_task(store_->begin_run(run)));
    EXPECT_EQ(begun.prompt.anchor, 1);
    const PlannedPrompt shorter = good(run_task(store_->replan_run(begun.no, 200)));
    EXPECT_LE(shorter.plan.tokens, 200);
    EXPECT_EQ(shorter.plan.head, begun.prompt.head);
    EXPECT_EQ(good(run_task(store_->begin_run(run))).prompt.anchor, shorter.plan.anchor) << "it is noted";
    finish(begun.no, {answer_item("a", 20)});
    EXPECT_EQ(errc_of(run_task(store_->replan_run(begun.no, 100))), base::Errc::not_found);
}

TEST_F(SummariesTest, NothingIsLeftOutWhenThatIsDisabled) {
    for (int i = 0; i < 10; ++i) {
        turn();
    }
    NewRun run = new_run(ada_, {user_item("q", 20)});
    run.target.conversation = conversation_;
    run.truncation = Truncation::disabled;
    run.prompt_tokens_max = 419;
    EXPECT_EQ(code_of(run_task(store_->begin_run(run))), "context_length_exceeded");
    run.prompt_tokens_max = 420;
    const BegunRun begun = good(run_task(store_->begin_run(run)));
    EXPECT_EQ(begun.prompt.anchor, 1);
    EXPECT_EQ(begun.prompt.head, 21) << "the refused one left nothing behind";
}

TEST_F(SummariesTest, TheConversationsInstructionsCount) {
    ConversationPatch patch;
    patch.instructions = "be brief";
    good(run_task(store_->update_conversation(ada_, conversation_, patch)));
    NewRun run = new_run(ada_, {user_item("q", 20)});
    run.target.conversation = conversation_;
    run.truncation = Truncation::disabled;
    run.prompt_tokens_max = 27;
    run.count_tokens = [](std::string_view text) noexcept { return static_cast<std::int64_t>(text.size()); };
    EXPECT_EQ(code_of(run_task(store_->begin_run(run))), "context_length_exceeded");
    run.prompt_tokens_max = 28;
    good(run_task(store_->begin_run(run)));
}

TEST_F(SummariesTest, TokenFactorsAreKept) {
    TokenFactor factor{"server", "model", 1'250, 3, 8'192};
    good(run_task(store_->save_token_factor(factor)));
    factor.thousandths = 1'300;
    good(run_task(store_->save_token_factor(factor)));
    reopen();
    const auto factors = good(run_task(store_->list_token_factors()));
    ASSERT_EQ(factors.size(), 1U);
    EXPECT_EQ(factors[0].model, "model");
    EXPECT_EQ(factors[0].thousandths, 1'300);
    EXPECT_EQ(factors[0].context_tokens, 8'192);
}

}  // namespace
}  // namespace confab::store
