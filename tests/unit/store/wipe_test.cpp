// After deleting, the words are nowhere in the files any more.
#include "store/sqlite/wipe.hpp"

#include <fstream>
#include <thread>

#include "store_fixture.hpp"

namespace confab::store {
namespace {

constexpr const char* kSecret = "xyzzy-secret-word";

class WipeTest : public StoreTest {
protected:
    // Rows that are left of anything but users, in the table.
    std::int64_t rows(const std::string& table) {
        meter::StoreCounters counters;
        auto db = good(sqlite::Connection::open(path(), sqlite::Access::read_only, counters));
        sqlite3_stmt* counted = nullptr;
        EXPECT_EQ(
            sqlite3_prepare_v2(db->handle(), ("SELECT count(*) FROM " + table).c_str(), -1, &counted, nullptr),
            SQLITE_OK
        );
        EXPECT_EQ(sqlite3_step(counted), SQLITE_ROW);
        const std::int64_t count = sqlite3_column_int64(counted, 0);
        sqlite3_finalize(counted);
        return count;
    }

    void wait_until_wiped() {
        for (int i = 0; i < 400 && rows("conversations WHERE wiping = 1") > 0; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        EXPECT_EQ(rows("conversations WHERE wiping = 1"), 0);
    }

    void expect_secret_gone() {
        store_.reset();  // also empties the log
        std::ifstream file(path(), std::ios::binary);
        const std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
        EXPECT_FALSE(content.empty());
        EXPECT_EQ(content.find(kSecret), std::string::npos);
        open_store();
    }

    UserNo ada_ = make_user("ada@example.org");
};

TEST_F(WipeTest, ADeletedConversationLeavesNoWords) {
    NewConversation wanted = new_conversation(ada_, {user_item(kSecret)});
    wanted.title = wanted.instructions = wanted.metadata = kSecret;
    good(run_task(store_->create_conversation(wanted)));
    NewRun run = new_run(ada_, {user_item(std::string(10'000, 'x') + kSecret)});
    run.target.conversation = wanted.id;
    run.request = kSecret;
    const BegunRun begun = good(run_task(store_->begin_run(run)));
    good(run_task(store_->append_run_chunks({{begun.no, 0, kSecret}})));
    finish(begun.no, {answer_item(kSecret)});
    const auto other = make_conversation(ada_, {user_item("stays")}).id;

    EXPECT_EQ(good(run_task(store_->delete_conversation(ada_, wanted.id))), std::nullopt);
    for (const char* table : {"items", "bodies"}) {
        EXPECT_EQ(rows(table), 1) << table;
    }
    EXPECT_EQ(rows("runs"), 0);
    EXPECT_EQ(rows("run_chunks"), 0);
    EXPECT_EQ(rows("branches"), 1);
    EXPECT_EQ(rows("usage_ledger"), 1) << "what was used stays counted";
    EXPECT_EQ(errc_of(run_task(store_->find_run(ada_, run.id))), base::Errc::not_found);
    EXPECT_EQ(texts(ada_, other), Texts{"stays"});
    expect_secret_gone();
}

TEST_F(WipeTest, ARunInProgressIsReportedAndThenClosedWithoutItems) {
    const auto id = make_conversation(ada_).id;
    const auto run = ResponseId::make();
    const BegunRun begun = begin_in(ada_, id, {user_item(kSecret)}, run);
    EXPECT_EQ(good(run_task(store_->delete_conversation(ada_, id))), run);
    EXPECT_EQ(
        errc_of(run_task(store_->list_prompt_items(begun.conversation_no, begun.branch, 1, 1))), base::Errc::not_found
    );
    FinishRun finish;
    finish.run = begun.no;
    finish.status = RunStatus::cancelled;
    finish.output = {answer_item(kSecret)};
    finish.chunks = {{begun.no, 0, kSecret}};
    good(run_task(store_->finish_run(finish)));
    for (const char* table : {"items", "bodies", "runs", "run_chunks", "branches"}) {
        EXPECT_EQ(rows(table), 0) << table;
    }
    EXPECT_EQ(rows("usage_ledger"), 1);
    expect_secret_gone();
}

TEST_F(WipeTest, ALargeConversationGoesInStepsAndDoesNotBlockOthers) {
    const auto id = make_conversation(ada_).id;
    for (int i = 0; i < 10; ++i) {
        std::vector<NewItem> items;
        for (int k = 0; k < 1'000; ++k) {
            items.push_back(user_item(kSecret));
        }
        good(run_task(store_->append_items(ada_, id, std::move(items))));
    }
    EXPECT_EQ(good(run_task(store_->delete_conversation(ada_, id))), std::nullopt);
    EXPECT_EQ(errc_of(run_task(store_->find_conversation(ada_, id))), base::Errc::not_found) << "gone at once";
    wait_until_wiped();
    EXPECT_EQ(rows("items"), 0);
    EXPECT_EQ(rows("bodies"), 0);
    expect_secret_gone();
}

TEST_F(WipeTest, WhatARestartInterruptedIsFinishedLater) {
    const auto id = make_conversation(ada_).id;
    std::vector<NewItem> items;
    for (int k = 0; k < 9'000; ++k) {
        items.push_back(user_item(kSecret));
    }
    good(run_task(store_->append_items(ada_, id, std::move(items))));
    store_.reset();
    meter::StoreCounters counters;
    {
        auto db = good(sqlite::Connection::open(path(), sqlite::Access::read_write, counters));
        good(db->run("BEGIN"));
        good(sqlite::delete_conversation(*db, ada_, id));
        good(db->run("COMMIT"));
    }
    EXPECT_GT(rows("items"), 0);
    open_store();
    wait_until_wiped();
    EXPECT_EQ(rows("items"), 0);
}

TEST_F(WipeTest, ADeletedItemLeavesNoWords) {
    const Conversation conversation = make_conversation(ada_, {user_item(kSecret), user_item("stays")});
    const auto first = page(ada_, conversation.id, Order::ascending, 1).rows.at(0).id;
    good(run_task(store_->delete_item(ada_, conversation.id, first)));
    expect_secret_gone();
    EXPECT_EQ(texts(ada_, conversation.id), Texts{"stays"});
}

TEST_F(WipeTest, AResponseNeitherStoredNorInAConversationLeavesNothing) {
    NewRun run = new_run(ada_, {user_item(kSecret)});
    run.stored = false;
    run.request = kSecret;
    const BegunRun begun = good(run_task(store_->begin_run(run)));
    EXPECT_EQ(texts_of(prompt_of(begun)), Texts{kSecret});
    finish(begun.no, {answer_item(kSecret)});
    for (const char* table : {"conversations", "items", "bodies", "runs", "branches"}) {
        EXPECT_EQ(rows(table), 0) << table;
    }
    expect_secret_gone();
}

TEST_F(WipeTest, AResponseNotStoredAfterAStoredOneLeavesOnlyThat) {
    const ResponseId stored = answer(ada_, {}, "question", "reply");
    NewRun run = new_run(ada_, {user_item(kSecret)});
    run.stored = false;
    run.target.previous_response = stored;
    const BegunRun begun = good(run_task(store_->begin_run(run)));
    EXPECT_EQ(texts_of(prompt_of(begun)), (Texts{"question", "reply", kSecret}));
    finish(begun.no, {answer_item(kSecret)});
    NewRun next = new_run(ada_, {user_item("next")});
    next.target.previous_response = stored;
    const BegunRun after = good(run_task(store_->begin_run(next)));
    EXPECT_EQ(texts_of(prompt_of(after)), (Texts{"question", "reply", "next"}));
    EXPECT_EQ(after.branch, good(run_task(store_->find_run(ada_, stored))).branch) << "the stored chain stays on one branch";
    expect_secret_gone();
}

TEST_F(WipeTest, AHiddenConversationGoesWithItsLastResponse) {
    const ResponseId first = answer(ada_, {}, kSecret, "one");
    const ResponseId second = answer(ada_, {{}, first}, "more", kSecret);
    good(run_task(store_->delete_run(ada_, first)));
    EXPECT_EQ(good(run_task(store_->find_run(ada_, second))).output.size(), 1U);
    EXPECT_EQ(rows("items"), 4) << "the second still builds on the first";
    good(run_task(store_->delete_run(ada_, second)));
    for (const char* table : {"conversations", "items", "bodies", "runs", "branches"}) {
        EXPECT_EQ(rows(table), 0) << table;
    }
    expect_secret_gone();
}

TEST_F(WipeTest, AResponseDeletedInProgressGoesWhenItEnds) {
    NewRun run = new_run(ada_, {user_item(kSecret)});
    const BegunRun begun = good(run_task(store_->begin_run(run)));
    good(run_task(store_->delete_run(ada_, run.id)));
    EXPECT_EQ(texts_of(prompt_of(begun)), Texts{kSecret}) << "its prompt is still needed";
    finish(begun.no, {answer_item(kSecret)});
    EXPECT_EQ(rows("items"), 0);
    EXPECT_EQ(rows("runs"), 0);
}

}  // namespace
}  // namespace confab::store
