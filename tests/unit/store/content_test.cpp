// Items that are no plain messages, and what a run measures.
#include "store_fixture.hpp"

namespace confab::store {
namespace {

NewItem item_of(ItemType type, ItemRole role, const std::string& body, std::int64_t tokens = 1) {
    NewItem item = new_item(role, body, tokens);
    item.id = ItemId::make(type);
    item.format = BodyFormat::json;
    return item;
}

NewItem thought(const std::string& text) {
    return item_of(ItemType::reasoning, ItemRole::assistant, text, 0);
}

NewItem call(const std::string& body) {
    return item_of(ItemType::function_call, ItemRole::assistant, body);
}

NewItem output(const std::string& body) {
    return item_of(ItemType::function_call_output, ItemRole::tool, body);
}

NewItem other(const std::string& body) {
    return item_of(ItemType::other, ItemRole::assistant, body, 0);
}

class ContentTest : public StoreTest {
protected:
    base::Result<BegunRun> begin_empty(ConversationId id) {
        NewRun run = new_run(ada_, {});
        run.target.conversation = id;
        return run_task(store_->begin_run(std::move(run)));
    }

    UserNo ada_ = make_user("ada@example.org");
    UserNo bob_ = make_user("bob@example.org");
};

TEST_F(ContentTest, ItemsComeBackAsWhatTheyAre) {
    const auto id =
        make_conversation(ada_, {user_item("q"), thought("t"), call("c"), output("o"), other("x"), answer_item("a")})
            .id;
    const auto rows = page(ada_, id, Order::ascending, 10).rows;
    std::vector<ItemType> types;
    for (const Item& item : rows) {
        types.push_back(item.id.type());
    }
    EXPECT_EQ(
        types,
        (std::vector{
            ItemType::message,
            ItemType::reasoning,
            ItemType::function_call,
            ItemType::function_call_output,
            ItemType::other,
            ItemType::message,
        })
    );
    EXPECT_EQ(rows[3].role, ItemRole::tool);
    EXPECT_EQ(texts_of(page(ada_, id, Order::ascending, 10, rows[2].id).rows), (Texts{"o", "x", "a"})) << "a cursor";
}

TEST_F(ContentTest, APromptHasOnlyWhatIsSaidToAModel) {
    const auto id = make_conversation(ada_, {user_item("q"), thought("t"), call("c"), output("o")}).id;
    std::vector<NewItem> thoughts;
    for (int i = 0; i < 1'200; ++i) {  // more than one batch of rows
        thoughts.push_back(i % 2 == 0 ? thought("t") : other("x"));
    }
    good(run_task(store_->append_items(ada_, id, thoughts)));
    const BegunRun begun = begin_in(ada_, id, {user_item("more")});
    EXPECT_EQ(texts_of(prompt_of(begun)), (Texts{"q", "c", "o", "more"}));
    EXPECT_EQ(begun.prompt.tokens, 4);
}

TEST_F(ContentTest, AToolsOutputCanBeAnswered) {
    const auto id = make_conversation(ada_, {user_item("q"), call("c")}).id;
    EXPECT_EQ(code_of(begin_empty(id)), "nothing_to_answer") << "the call waits for its output";
    good(run_task(store_->append_items(ada_, id, {output("o")})));
    const auto begun = begin_empty(id);
    ASSERT_TRUE(begun);
    finish(begun->no, {thought("hm")}, RunStatus::failed);
    const auto again = begin_empty(id);
    ASSERT_TRUE(again) << "thoughts of an answer that failed are no answer";
    finish(again->no, {thought("hm"), answer_item("a")});
    EXPECT_EQ(code_of(begin_empty(id)), "nothing_to_answer");
}

// The anchor is set on a user's message: nothing before it belongs to a call after it.
TEST_F(ContentTest, TheAnchorNeverPartsACallFromItsOutput) {
    const auto id = make_conversation(ada_).id;
    for (int turn = 0; turn < 30; ++turn) {
        NewRun run = new_run(ada_, {item_of(ItemType::message, ItemRole::user, "q", 10)});
        run.target.conversation = id;
        run.prompt_tokens_max = 200;
        const BegunRun begun = good(run_task(store_->begin_run(run)));
        EXPECT_EQ(prompt_of(begun).front().role, ItemRole::user) << turn;
        NewItem asked = call("c");
        NewItem told = output("o");
        asked.tokens = told.tokens = 30;
        finish(begun.no, {asked});
        NewRun next = new_run(ada_, {told});
        next.target.conversation = id;
        next.prompt_tokens_max = 200;
        const BegunRun after = good(run_task(store_->begin_run(next)));
        const auto prompt = prompt_of(after);
        EXPECT_EQ(prompt.front().role, ItemRole::user) << turn;
        EXPECT_LE(after.prompt.tokens, 200);
        finish(after.no, {answer_item("a", 10)});
    }
}

TEST_F(ContentTest, ARunKeepsItsTiming) {
    const auto id = make_conversation(ada_).id;
    NewRun run = new_run(ada_, {user_item("q")});
    run.target.conversation = id;
    const BegunRun begun = good(run_task(store_->begin_run(run)));
    FinishRun end;
    end.run = begun.no;
    end.completed_at = 1'700'000'123;
    end.usage = R"({"output_tokens":7})";
    end.timing = RunTiming{12, 345, 7};
    end.output = {thought("t"), answer_item("a")};
    good(run_task(store_->finish_run(end)));
    const auto found = good(run_task(store_->find_run(ada_, run.id)));
    EXPECT_EQ(found.timing, end.timing);
    EXPECT_EQ(found.completed_at, end.completed_at) << "as the last event says";
    EXPECT_FALSE(found.output_deleted);
    const auto rows = page(ada_, id, Order::ascending, 10).rows;
    EXPECT_FALSE(rows[0].timing);
    EXPECT_EQ(rows[0].usage, "");
    EXPECT_EQ(rows[2].timing, end.timing);
    EXPECT_EQ(rows[2].usage, end.usage);
    good(run_task(store_->delete_item(ada_, id, rows[1].id)));
    const auto cut = good(run_task(store_->find_run(ada_, run.id)));
    EXPECT_TRUE(cut.output_deleted);
    EXPECT_EQ(texts_of(cut.output), Texts{"a"});
    good(run_task(store_->delete_run(ada_, run.id)));
    EXPECT_FALSE(page(ada_, id, Order::descending, 1).rows[0].timing);
}

TEST_F(ContentTest, ARunThatNobodyMeasuredHasNoTiming) {
    const ResponseId id = answer(ada_, {}, "q", "a");
    EXPECT_FALSE(good(run_task(store_->find_run(ada_, id))).timing);
}

TEST_F(ContentTest, ItemsAreFoundByTheirIdsWhereverTheyAre) {
    const auto first = make_conversation(ada_, {user_item("one"), call("two")}).id;
    const auto second = make_conversation(ada_, {user_item("three")}).id;
    const auto rows = page(ada_, first, Order::ascending, 10).rows;
    const auto more = page(ada_, second, Order::ascending, 10).rows;
    const std::vector<ItemId> ids{more[0].id, rows[1].id, rows[0].id};
    EXPECT_EQ(texts_of(good(run_task(store_->find_items(ada_, ids, 11)))), (Texts{"three", "two", "one"}));
    EXPECT_EQ(errc_of(run_task(store_->find_items(ada_, ids, 10))), base::Errc::too_large);
    const auto missing = [&](UserNo user, const std::vector<ItemId>& wanted) {
        const auto found = run_task(store_->find_items(user, wanted, 1'000));
        EXPECT_EQ(errc_of(found), base::Errc::not_found);
        return found ? "" : found.error().param;
    };
    EXPECT_EQ(missing(bob_, ids), "0");
    EXPECT_EQ(missing(ada_, {ids[0], ItemId::make()}), "1");
    good(run_task(store_->delete_item(ada_, first, rows[1].id)));
    EXPECT_EQ(missing(ada_, ids), "1");
    good(run_task(store_->delete_conversation(ada_, second)));
    EXPECT_EQ(missing(ada_, ids), "0");
}

TEST_F(ContentTest, TheTitleIsTheFirstTextOfAUser) {
    const auto id = make_conversation(ada_).id;
    NewItem picture = user_item(R"([{"type":"input_image","image_url":"https://example.org/a.png"}])");
    picture.format = BodyFormat::json;
    const BegunRun begun = begin_in(ada_, id, {output(R"({"text":"no"})"), picture, user_item("look"), user_item("x")});
    finish(begun.no, {});
    EXPECT_EQ(good(run_task(store_->find_conversation(ada_, id))).title, "look");
}

}  // namespace
}  // namespace confab::store
