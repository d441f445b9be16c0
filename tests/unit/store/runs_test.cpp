#include "store/sqlite/runs.hpp"

#include "store_fixture.hpp"

namespace confab::store {
namespace {

using base::Errc;

class RunsTest : public StoreTest {
protected:
    Conversation load(ConversationId id) { return good(run_task(store_->find_conversation(ada_, id))); }

    UserNo ada_ = make_user("ada@example.org");
    UserNo bob_ = make_user("bob@example.org");
};

TEST_F(RunsTest, ATurnIsKeptWhole) {
    const auto id = make_conversation(ada_, {user_item("zero"), answer_item("null")}).id;
    NewRun run = new_run(ada_, {user_item("one"), user_item("more")});
    run.target.conversation = id;
    run.background = true;
    const BegunRun begun = good(run_task(store_->begin_run(run)));
    EXPECT_EQ(begun.conversation, id);
    EXPECT_EQ(texts_of(prompt_of(begun)), (Texts{"zero", "null", "one", "more"}));
    EXPECT_EQ(begun.prompt.tokens, 4);

    Conversation busy = load(id);
    EXPECT_EQ(busy.active_run, run.id);
    EXPECT_EQ(busy.last_run->status, RunStatus::in_progress);
    EXPECT_EQ(busy.title, "one");

    FinishRun finish;
    finish.run = begun.no;
    finish.status = RunStatus::incomplete;
    finish.incomplete_reason = "max_output_tokens";
    finish.usage = R"({"total_tokens":3})";
    finish.taken.input_tokens = 2;
    finish.taken.output_tokens = 1;
    finish.upstream = "local";
    finish.output = {answer_item("two")};
    good(run_task(store_->finish_run(finish)));

    const auto found = good(run_task(store_->find_run(ada_, run.id)));
    EXPECT_EQ(found.no, begun.no);
    EXPECT_EQ(found.id, run.id);
    EXPECT_EQ(found.user, ada_);
    EXPECT_EQ(found.conversation, id);
    EXPECT_EQ(found.conversation_no, begun.conversation_no);
    EXPECT_EQ(found.branch, begun.branch);
    EXPECT_EQ(found.input_first, 3);
    EXPECT_EQ(found.input_last, 4);
    EXPECT_EQ(found.status, RunStatus::incomplete);
    EXPECT_TRUE(found.background);
    EXPECT_TRUE(found.stored);
    EXPECT_EQ(found.model, "model-a");
    EXPECT_EQ(found.request, run.request);
    EXPECT_EQ(found.incomplete_reason, "max_output_tokens");
    EXPECT_EQ(found.usage, finish.usage);
    EXPECT_EQ(found.created_at, begun.created_at);
    EXPECT_TRUE(found.completed_at);
    EXPECT_EQ(texts_of(found.output), Texts{"two"});
    EXPECT_FALSE(found.previous_response);

    const Conversation done = load(id);
    EXPECT_FALSE(done.active_run);
    EXPECT_EQ(done.last_run->id, run.id);
    EXPECT_EQ(done.last_run->incomplete_reason, "max_output_tokens");
    EXPECT_EQ(done.head, finish.output[0].id);
    const Item newest = page(ada_, id, Order::descending, 1).rows.at(0);
    EXPECT_EQ(newest.response, run.id);
    EXPECT_EQ(newest.model, "model-a");
    EXPECT_FALSE(page(ada_, id, Order::ascending, 10).rows.at(2).response) << "people's items come from no run";
}

TEST_F(RunsTest, OneAnswerAtATimeIsMadeInAConversation) {
    const auto id = make_conversation(ada_).id;
    const BegunRun begun = begin_in(ada_, id, {user_item("x")});
    NewRun second = new_run(ada_, {user_item("y")});
    second.target.conversation = id;
    const auto refused = run_task(store_->begin_run(second));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().errc, Errc::invalid_request);
    EXPECT_EQ(refused.error().code, "conversation_locked");
    EXPECT_EQ(refused.error().param, "conversation");
    EXPECT_EQ(code_of(run_task(store_->append_items(ada_, id, {user_item("y")}))), "conversation_locked");
    EXPECT_EQ(texts(ada_, id), Texts{"x"}) << "what was refused is not stored";
    finish(begun.no, {answer_item("z")});
    EXPECT_TRUE(run_task(store_->begin_run(second)));
}

TEST_F(RunsTest, WithoutInputTheNewestMessageMustBeAUsers) {
    const auto id = make_conversation(ada_).id;
    NewRun empty = new_run(ada_, {});
    empty.target.conversation = id;
    EXPECT_EQ(code_of(run_task(store_->begin_run(empty))), "nothing_to_answer");
    const BegunRun failed = begin_in(ada_, id, {user_item("keep me")});
    finish(failed.no, {}, RunStatus::failed);
    EXPECT_EQ(load(id).last_run->status, RunStatus::failed);
    const BegunRun again = good(run_task(store_->begin_run(empty)));
    EXPECT_EQ(texts_of(prompt_of(again)), Texts{"keep me"});
    finish(again.no, {answer_item("here")});
    EXPECT_EQ(texts(ada_, id), (Texts{"keep me", "here"}));
    NewRun more = new_run(ada_, {});
    more.target.conversation = id;
    EXPECT_EQ(code_of(run_task(store_->begin_run(more))), "nothing_to_answer");
    NewRun nowhere = new_run(ada_, {});
    EXPECT_EQ(code_of(run_task(store_->begin_run(nowhere))), "nothing_to_answer");
}

TEST_F(RunsTest, BegunAgainWithTheSameIdIsTheSame) {
    const auto id = make_conversation(ada_).id;
    NewRun run = new_run(ada_, {user_item("once")});
    run.target.conversation = id;
    const BegunRun first = good(run_task(store_->begin_run(run)));
    const BegunRun second = good(run_task(store_->begin_run(run)));
    EXPECT_EQ(second.no, first.no);
    EXPECT_EQ(second.branch, first.branch);
    EXPECT_EQ(second.conversation, first.conversation);
    EXPECT_EQ(second.prompt.anchor, first.prompt.anchor);
    EXPECT_EQ(second.prompt.head, first.prompt.head);
    EXPECT_EQ(second.prompt.tokens, first.prompt.tokens);
    EXPECT_EQ(texts(ada_, id), Texts{"once"});
    NewRun stolen = run;
    stolen.user = bob_;
    EXPECT_EQ(errc_of(run_task(store_->begin_run(stolen))), Errc::conflict);
}

TEST_F(RunsTest, FinishedOnceStaysAsItIs) {
    const auto id = make_conversation(ada_).id;
    NewRun run = new_run(ada_, {user_item("x")});
    run.target.conversation = id;
    const BegunRun begun = good(run_task(store_->begin_run(run)));
    finish(begun.no, {answer_item("first")});
    finish(begun.no, {answer_item("second")}, RunStatus::failed);
    EXPECT_EQ(texts(ada_, id), (Texts{"x", "first"}));
    EXPECT_EQ(good(run_task(store_->find_run(ada_, run.id))).status, RunStatus::completed);
    FinishRun unknown;
    unknown.run = RunNo{4711};
    EXPECT_EQ(errc_of(run_task(store_->finish_run(unknown))), Errc::not_found);
}

TEST_F(RunsTest, AreNotFoundByOthers) {
    const ResponseId mine = answer(ada_, {}, "q", "a");
    EXPECT_EQ(errc_of(run_task(store_->find_run(bob_, mine))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->delete_run(bob_, mine))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->list_input_items(bob_, mine, {}))), Errc::not_found);
    NewRun run = new_run(bob_, {user_item("x")});
    run.target.previous_response = mine;
    EXPECT_EQ(code_of(run_task(store_->begin_run(run))), "previous_response_not_found");
    run.target = {};
    run.target.conversation = make_conversation(ada_).id;
    EXPECT_EQ(errc_of(run_task(store_->begin_run(run))), Errc::not_found);
}

TEST_F(RunsTest, WithoutAConversationUseAHiddenOne) {
    const ResponseId first = answer(ada_, {}, "one", "two");
    EXPECT_TRUE(good(run_task(store_->list_conversations(ada_, {}))).rows.empty());
    NewRun run = new_run(ada_, {user_item("three")});
    run.target.previous_response = first;
    const BegunRun begun = good(run_task(store_->begin_run(run)));
    EXPECT_FALSE(begun.conversation);
    EXPECT_EQ(texts_of(prompt_of(begun)), (Texts{"one", "two", "three"}));
    const auto found = good(run_task(store_->find_run(ada_, run.id)));
    EXPECT_FALSE(found.conversation);
    EXPECT_EQ(found.previous_response, first);
    EXPECT_EQ(found.branch, good(run_task(store_->find_run(ada_, first))).branch) << "a chain stays on one branch";
}

TEST_F(RunsTest, TwoMayFollowTheSameOne) {
    const ResponseId root = answer(ada_, {}, "root", "yes");
    for (const char* text : {"left", "right", "middle"}) {
        NewRun run = new_run(ada_, {user_item(text)});
        run.target.previous_response = root;
        const BegunRun begun = good(run_task(store_->begin_run(run)));
        EXPECT_EQ(texts_of(prompt_of(begun)), (Texts{"root", "yes", text}));
    }
}

TEST_F(RunsTest, AFollowerElsewhereLeavesTheActiveBranchAlone) {
    const auto id = make_conversation(ada_).id;
    const ResponseId first = answer(ada_, {id, {}}, "one", "two");
    answer(ada_, {id, {}}, "three", "four");
    const ResponseId aside = answer(ada_, {{}, first}, "instead", "else");
    EXPECT_EQ(texts(ada_, id), (Texts{"one", "two", "three", "four"}));
    const auto run = good(run_task(store_->find_run(ada_, aside)));
    EXPECT_EQ(run.conversation, id);
    EXPECT_EQ(run.input_first, 3);
    EXPECT_EQ(texts_of(run.output), Texts{"else"});
    const ResponseId at_head = answer(ada_, {id, {}}, "five", "six");
    answer(ada_, {{}, at_head}, "seven", "eight");
    EXPECT_EQ(texts(ada_, id).size(), 8U) << "following the head goes on with the active branch";
}

TEST_F(RunsTest, FollowingOneInProgressOpensABranch) {
    const NewRun first = new_run(ada_, {user_item("one")});
    const BegunRun begun = good(run_task(store_->begin_run(first)));
    NewRun second = new_run(ada_, {user_item("two")});
    second.target.previous_response = first.id;
    const BegunRun beside = good(run_task(store_->begin_run(second)));
    EXPECT_NE(beside.branch, begun.branch);
    EXPECT_EQ(texts_of(prompt_of(beside)), (Texts{"one", "two"}));
    NewRun shown = new_run(ada_, {user_item("q")});
    shown.target.conversation = make_conversation(ada_).id;
    good(run_task(store_->begin_run(shown)));
    second.id = ResponseId::make();
    second.target.previous_response = shown.id;
    EXPECT_EQ(code_of(run_task(store_->begin_run(second))), "conversation_locked") << "one at a time where it is seen";
}

TEST_F(RunsTest, NotStoredInAConversationAreNotFoundButTheirTextsStay) {
    const auto id = make_conversation(ada_).id;
    NewRun run = new_run(ada_, {user_item("whisper")});
    run.target.conversation = id;
    run.stored = false;
    const BegunRun begun = good(run_task(store_->begin_run(run)));
    EXPECT_EQ(load(id).active_run, run.id);
    finish(begun.no, {answer_item("psst")});
    EXPECT_EQ(errc_of(run_task(store_->find_run(ada_, run.id))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->delete_run(ada_, run.id))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->list_input_items(ada_, run.id, {}))), Errc::not_found);
    EXPECT_EQ(texts(ada_, id), (Texts{"whisper", "psst"}));
    NewRun follower = new_run(ada_, {user_item("x")});
    follower.target.previous_response = run.id;
    EXPECT_EQ(code_of(run_task(store_->begin_run(follower))), "previous_response_not_found");
}

TEST_F(RunsTest, DeletedAreNotFoundButTheirItemsStay) {
    const auto id = make_conversation(ada_).id;
    const ResponseId run = answer(ada_, {id, {}}, "q", "a");
    good(run_task(store_->delete_run(ada_, run)));
    EXPECT_EQ(errc_of(run_task(store_->find_run(ada_, run))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->delete_run(ada_, run))), Errc::not_found);
    EXPECT_EQ(texts(ada_, id), (Texts{"q", "a"}));
    EXPECT_EQ(page(ada_, id, Order::descending, 1).rows.at(0).model, "model-a");
}

TEST_F(RunsTest, InputItemsArePaged) {
    std::vector<NewItem> input;
    for (int i = 0; i < 5; ++i) {
        input.push_back(user_item(std::to_string(i)));
    }
    const auto id = make_conversation(ada_, {user_item("before")}).id;
    const auto run = ResponseId::make();
    finish(begin_in(ada_, id, input, run).no, {answer_item("after")});
    for (const Order order : {Order::ascending, Order::descending}) {
        Texts seen;
        PageRequest<ItemId> request{std::nullopt, order, 2};
        for (bool more = true; more;) {
            const auto listed = good(run_task(store_->list_input_items(ada_, run, request)));
            for (const Item& item : listed.rows) {
                seen.push_back(item.body);
                request.after = item.id;
            }
            more = listed.has_more;
        }
        const Texts ascending{"0", "1", "2", "3", "4"};
        EXPECT_EQ(seen, order == Order::ascending ? ascending : Texts(ascending.rbegin(), ascending.rend()));
    }
    const ItemId outside = *load(id).head;
    EXPECT_EQ(
        errc_of(run_task(store_->list_input_items(ada_, run, {outside, Order::ascending, 2}))), Errc::invalid_request
    );
}

TEST_F(RunsTest, InterruptedAreListedAfterARestartAndOnlyThen) {
    const auto id = make_conversation(ada_).id;
    const auto run = ResponseId::make();
    const BegunRun begun = begin_in(ada_, id, {user_item("x")}, run);
    good(run_task(store_->append_run_chunks({{begun.no, 0, "first"}, {begun.no, 5, "second"}})));
    EXPECT_TRUE(good(run_task(store_->list_unfinished_runs(10))).empty()) << "it is in progress, not interrupted";
    answer(ada_, {}, "done", "done");
    reopen();
    const auto later = make_conversation(ada_).id;
    begin_in(ada_, later, {user_item("y")});
    const auto unfinished = good(run_task(store_->list_unfinished_runs(10)));
    ASSERT_EQ(unfinished.size(), 1U);
    EXPECT_EQ(unfinished[0].first.id, run);
    EXPECT_EQ(unfinished[0].first.no, begun.no);
    ASSERT_EQ(unfinished[0].second.size(), 2U);
    EXPECT_EQ(unfinished[0].second[1].data, "second");
    EXPECT_EQ(unfinished[0].second[1].seq_first, 5);
    finish(begun.no, {answer_item("part")}, RunStatus::incomplete);
    EXPECT_TRUE(good(run_task(store_->list_unfinished_runs(10))).empty());
    EXPECT_EQ(texts(ada_, id), (Texts{"x", "part"}));
}

}  // namespace
}  // namespace confab::store
