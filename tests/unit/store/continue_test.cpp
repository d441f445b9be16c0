// Going on with an answer that broke off: the new one takes its place.
#include "store_fixture.hpp"

namespace confab::store {
namespace {

class ContinueTest : public StoreTest {
protected:
    // A conversation that ends with an incomplete answer.
    ConversationId broken_off(const std::string& text = "half") {
        const auto id = make_conversation(ada_).id;
        const BegunRun begun = begin_in(ada_, id, {user_item("question")});
        finish(begun.no, {incomplete(text)}, RunStatus::incomplete);
        return id;
    }

    static NewItem incomplete(const std::string& text) {
        NewItem item = answer_item(text);
        item.status = ItemStatus::incomplete;
        return item;
    }

    NewRun continuing(ConversationId id) {
        NewRun run = new_run(ada_, {});
        run.target.conversation = id;
        run.continues = true;
        return run;
    }

    void expect_refused(NewRun run) {
        const auto refused = run_task(store_->begin_run(std::move(run)));
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, "nothing_to_continue");
        EXPECT_EQ(refused.error().param, "continue");
        EXPECT_EQ(refused.error().errc, base::Errc::invalid_request);
    }

    UserNo ada_ = make_user("ada@example.org");
};

TEST_F(ContinueTest, TheNewAnswerTakesThePlaceOfTheOld) {
    const auto id = broken_off();
    const BegunRun begun = good(run_task(store_->begin_run(continuing(id))));
    EXPECT_EQ(begun.continued, "half");
    EXPECT_EQ(texts_of(prompt_of(begun)), (Texts{"question", "half"}));
    EXPECT_EQ(texts(ada_, id), (Texts{"question", "half"})) << "until the end nothing changes";
    finish(begun.no, {answer_item("half and half")});
    EXPECT_EQ(texts(ada_, id), (Texts{"question", "half and half"}));
    EXPECT_EQ(page(ada_, id, Order::descending, 1).rows.at(0).status, ItemStatus::completed);
    expect_refused(continuing(id));
}

TEST_F(ContinueTest, CanBeDoneAgainAndAgain) {
    const auto id = broken_off("a");
    for (const std::string text : {"ab", "abc", "abcd"}) {
        const BegunRun begun = good(run_task(store_->begin_run(continuing(id))));
        finish(begun.no, {incomplete(text)}, RunStatus::incomplete);
        EXPECT_EQ(texts(ada_, id), (Texts{"question", text}));
    }
    const BegunRun next = begin_in(ada_, id, {user_item("next")});
    EXPECT_EQ(texts_of(prompt_of(next)), (Texts{"question", "abcd", "next"}));
}

TEST_F(ContinueTest, WithoutANewAnswerTheOldStaysAsItWas) {
    const auto id = broken_off();
    const Item before = page(ada_, id, Order::descending, 1).rows.at(0);
    const BegunRun begun = good(run_task(store_->begin_run(continuing(id))));
    finish(begun.no, {}, RunStatus::failed);
    const Item after = page(ada_, id, Order::descending, 1).rows.at(0);
    EXPECT_EQ(after.id, before.id);
    EXPECT_EQ(after.body, "half");
    EXPECT_EQ(after.status, ItemStatus::incomplete);
    EXPECT_TRUE(run_task(store_->begin_run(continuing(id)))) << "it can be tried again";
}

TEST_F(ContinueTest, ACrashLeavesTheOldAnswer) {
    const auto id = broken_off();
    const BegunRun begun = good(run_task(store_->begin_run(continuing(id))));
    reopen();
    EXPECT_EQ(texts(ada_, id), (Texts{"question", "half"}));
    finish(begun.no, {incomplete("half and")}, RunStatus::incomplete);
    EXPECT_EQ(texts(ada_, id), (Texts{"question", "half and"}));
}

TEST_F(ContinueTest, OnlyAPlainAnswerThatBrokeOffAtTheEndCanBeContinued) {
    expect_refused(continuing(make_conversation(ada_).id));
    expect_refused(continuing(make_conversation(ada_, {user_item("question")}).id));
    expect_refused(continuing(make_conversation(ada_, {user_item("q"), answer_item("whole")}).id));
    expect_refused(continuing(make_conversation(ada_, {incomplete("half"), user_item("q")}).id));
    expect_refused(continuing(make_conversation(ada_, {incomplete("")}).id));
    NewItem parts = incomplete(R"([{"type":"output_text","text":"half"}])");
    parts.format = BodyFormat::json;
    expect_refused(continuing(make_conversation(ada_, {parts}).id));
    expect_refused(continuing(make_conversation(ada_, {incomplete(std::string(kContinuedBytesMax + 1, 'x'))}).id));
    NewRun with_input = continuing(broken_off());
    with_input.input = {user_item("more")};
    expect_refused(with_input);
    NewRun nowhere = continuing(broken_off());
    nowhere.target.conversation.reset();
    expect_refused(nowhere);
}

TEST_F(ContinueTest, IsOneAnswerAtATimeAndItsOwners) {
    const auto id = broken_off();
    good(run_task(store_->begin_run(continuing(id))));
    EXPECT_EQ(code_of(run_task(store_->begin_run(continuing(id)))), "conversation_locked");
    NewRun foreign = continuing(broken_off());
    foreign.user = make_user("bob@example.org");
    EXPECT_EQ(errc_of(run_task(store_->begin_run(foreign))), base::Errc::not_found);
}

TEST_F(ContinueTest, BegunAgainWithTheSameIdIsTheSame) {
    const NewRun run = continuing(broken_off());
    const BegunRun first = good(run_task(store_->begin_run(run)));
    const BegunRun second = good(run_task(store_->begin_run(run)));
    EXPECT_EQ(second.no, first.no);
    EXPECT_EQ(second.continued, "half");
}

TEST_F(ContinueTest, TheOldAnswerMayBeDeletedMeanwhile) {
    const auto id = broken_off();
    const BegunRun begun = good(run_task(store_->begin_run(continuing(id))));
    good(run_task(store_->delete_item(ada_, id, page(ada_, id, Order::descending, 1).rows.at(0).id)));
    finish(begun.no, {answer_item("half and half")});
    EXPECT_EQ(texts(ada_, id), (Texts{"question", "half and half"}));
}

}  // namespace
}  // namespace confab::store
