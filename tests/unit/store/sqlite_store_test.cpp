// The engine as a whole: what is acknowledged is durable, connections and statements are opened once, one process at a
// time.
#include "store/sqlite/sqlite_store.hpp"

#include "store_fixture.hpp"

namespace confab::store {
namespace {

class SqliteStoreTest : public StoreTest {
protected:
    // One round of what a turn does, reading and writing.
    void one_turn(UserNo user, ConversationId id) {
        answer(user, {id, {}}, "question", "answer");
        page(user, id, Order::descending, 20);
        good(run_task(store_->find_conversation(user, id)));
        good(run_task(store_->list_conversations(user, {})));
    }
};

TEST_F(SqliteStoreTest, AnswersAPing) {
    EXPECT_TRUE(run_task(store_->ping()));
    store_->stop();
    EXPECT_EQ(errc_of(run_task(store_->ping())), base::Errc::unavailable);
    EXPECT_EQ(errc_of(run_task(store_->count_users())), base::Errc::unavailable);
}

TEST_F(SqliteStoreTest, KeepsWhatItAcknowledged) {
    const UserNo user = make_user("ada@example.org");
    const auto id = make_conversation(user, {user_item("kept")}).id;
    const ResponseId run = answer(user, {id, {}}, "question", "answer");
    reopen();
    EXPECT_EQ(texts(user, id), (Texts{"kept", "question", "answer"}));
    EXPECT_EQ(good(run_task(store_->find_run(user, run))).status, RunStatus::completed);
}

TEST_F(SqliteStoreTest, OpensConnectionsAndStatementsOnce) {
    const UserNo user = make_user("ada@example.org");
    const auto id = make_conversation(user).id;
    std::uint64_t prepared = 0;
    std::uint64_t reused = 0;
    // Until both readers have seen every call, and the writer has indexed something.
    for (int round = 0; round < 10 && prepared != counters_.statements_prepared.value(); ++round) {
        prepared = counters_.statements_prepared.value();
        reused = counters_.statements_reused.value();
        for (int i = 0; i < 100; ++i) {
            one_turn(user, id);
        }
    }
    EXPECT_EQ(counters_.statements_prepared.value(), prepared);
    EXPECT_GT(counters_.statements_reused.value(), reused + 1'000);
    EXPECT_EQ(counters_.connections_opened.value(), 3U);
    EXPECT_EQ(counters_.connections_live.value(), 3);
    store_.reset();
    EXPECT_EQ(counters_.connections_live.value(), 0);
    EXPECT_EQ(counters_.statements_live.value(), 0);
}

TEST_F(SqliteStoreTest, IsOpenedByOneProcessAtATime) {
    const auto second = SqliteStore::open({path(), 2, counters_});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, "database_in_use");
    reopen();
}

TEST_F(SqliteStoreTest, ItsFilesAreItsOwnersOnly) {
    for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
        const auto mode = std::filesystem::status(path() + suffix).permissions();
        EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write) << suffix;
    }
}

TEST_F(SqliteStoreTest, TellsWhyItCannotOpen) {
    EXPECT_FALSE(SqliteStore::open({directory_.file("missing/confab.db"), 2, counters_}));
}

// Many callers at once: what each was told is what is there, and each user sees only his own.
TEST_F(SqliteStoreTest, ManyAtOnceDoNotMix) {
    std::vector<UserNo> users;
    std::vector<NewConversation> wanted;
    std::vector<net::Task<Result<Conversation>>> creating;
    for (int i = 0; i < 30; ++i) {
        users.push_back(make_user(std::to_string(i) + "@example.org"));
        wanted.push_back(new_conversation(users.back(), {user_item("of " + std::to_string(i))}));
        creating.push_back(store_->create_conversation(wanted.back()));
    }
    for (const auto& made : support::run_tasks(std::move(creating))) {
        EXPECT_TRUE(made);
    }
    std::vector<net::Task<Result<std::vector<Item>>>> appending;
    for (int round = 0; round < 20; ++round) {
        for (int i = 0; i < 30; ++i) {
            const auto owner = static_cast<std::size_t>((i + (round % 5 == 0 ? 1 : 0)) % 30);
            appending.push_back(
                store_->append_items(users[static_cast<std::size_t>(i)], wanted[owner].id, {user_item("x")})
            );
        }
    }
    int refused = 0;
    for (const auto& appended : support::run_tasks(std::move(appending))) {
        refused += appended ? 0 : 1;
    }
    EXPECT_EQ(refused, 4 * 30);
    for (std::size_t i = 0; i < users.size(); ++i) {
        EXPECT_EQ(texts(users[i], wanted[i].id).size(), 17U);
        EXPECT_EQ(good(run_task(store_->list_conversations(users[i], {}))).rows.size(), 1U);
    }
    EXPECT_LT(counters_.commits.value(), counters_.operations.value()) << "they shared commits";
}

}  // namespace
}  // namespace confab::store
