#include "store/sqlite/exports.hpp"

#include <map>

#include "store_fixture.hpp"

namespace confab::store {
namespace {

class ExportsTest : public StoreTest {
protected:
    // All pages, and the parents by their texts ("" for none).
    std::vector<std::pair<std::string, std::string>> exported(UserNo user, const ExportStart& start) {
        std::vector<std::pair<std::string, std::string>> all;
        std::map<ItemId, std::string> known;
        ExportCursor cursor;
        for (bool done = false; !done;) {
            const ExportPage page = good(run_task(store_->export_items(user, start, cursor)));
            for (const ExportedItem& item : page.items) {
                EXPECT_FALSE(item.item.truncated);
                EXPECT_TRUE(!item.parent || known.contains(*item.parent)) << "a parent comes before its children";
                known[item.item.id] = item.item.body;
                all.emplace_back(item.item.body, item.parent ? known[*item.parent] : "");
            }
            cursor = page.next;
            done = page.done;
        }
        return all;
    }

    ExportStart begin(UserNo user, ConversationId id) { return good(run_task(store_->begin_export(user, id))); }

    UserNo ada_ = make_user("ada@example.org");
    UserNo bob_ = make_user("bob@example.org");
};

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST_F(ExportsTest, HoldAllBranchesWithParentsFirst) {
    const Conversation talk = make_conversation(ada_);
    const ResponseId first = answer(ada_, {talk.id, std::nullopt}, "q1", "a1");
    answer(ada_, {talk.id, std::nullopt}, "q2", "a2");
    answer(ada_, {std::nullopt, first}, "other q2", "other a2");
    const Pairs expected{{"q1", ""}, {"a1", "q1"}, {"q2", "a1"}, {"a2", "q2"}, {"other q2", "a1"}, {"other a2", "other q2"}};
    EXPECT_EQ(exported(ada_, begin(ada_, talk.id)), expected);
}

TEST_F(ExportsTest, AreOfTheMomentTheyBegan) {
    const Conversation talk = make_conversation(ada_, {user_item("one")});
    const ResponseId first = answer(ada_, {talk.id, std::nullopt}, "two", "three");
    const ExportStart start = begin(ada_, talk.id);
    good(run_task(store_->append_items(ada_, talk.id, {user_item("late")})));
    answer(ada_, {std::nullopt, first}, "late too", "late as well");
    EXPECT_EQ(exported(ada_, start), (Pairs{{"one", ""}, {"two", "one"}, {"three", "two"}}));
    EXPECT_EQ(
        texts_of(good(run_task(store_->export_path(ada_, start, 0))).rows), (Texts{"one", "two", "three"})
    );
}

TEST_F(ExportsTest, PassOverDeletedItems) {
    const std::vector<NewItem> items{user_item("a"), user_item("b"), user_item("c")};
    const Conversation talk = make_conversation(ada_, items);
    good(run_task(store_->delete_item(ada_, talk.id, items[1].id)));
    EXPECT_EQ(exported(ada_, begin(ada_, talk.id)), (Pairs{{"a", ""}, {"c", "a"}}));
}

TEST_F(ExportsTest, GiveLongMessagesWholeAndPagesThatAreBounded) {
    std::vector<NewItem> items;
    for (int i = 0; i < 12; ++i) {
        items.push_back(user_item(std::string(100'000, static_cast<char>('a' + i))));
    }
    const Conversation talk = make_conversation(ada_, items);
    const ExportStart start = begin(ada_, talk.id);
    EXPECT_EQ(exported(ada_, start).size(), 12U);
    const ExportPage page = good(run_task(store_->export_items(ada_, start, {})));
    EXPECT_LE(page.items.size() * 100'000, kPageBytesMax);
}

TEST_F(ExportsTest, GoThroughAllConversationsOfOneUser) {
    const Conversation one = make_conversation(ada_, {user_item("1")});
    make_conversation(bob_, {user_item("not hers")});
    const Conversation two = make_conversation(ada_, {user_item("2")});
    good(run_task(store_->append_items(ada_, one.id, {user_item("1 again")})));
    const auto first = good(run_task(store_->next_export(ada_, std::nullopt)));
    ASSERT_TRUE(first);
    EXPECT_EQ(first->conversation.id, one.id);
    const auto second = good(run_task(store_->next_export(ada_, first->conversation.no)));
    ASSERT_TRUE(second);
    EXPECT_EQ(second->conversation.id, two.id);
    EXPECT_FALSE(good(run_task(store_->next_export(ada_, second->conversation.no))));
}

TEST_F(ExportsTest, AreNotFoundByOthersNorAfterDeleting) {
    const Conversation talk = make_conversation(ada_, {user_item("secret")});
    const ExportStart start = begin(ada_, talk.id);
    EXPECT_EQ(errc_of(run_task(store_->begin_export(bob_, talk.id))), base::Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->export_items(bob_, start, {}))), base::Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->export_path(bob_, start, 0))), base::Errc::not_found);
    good(run_task(store_->delete_conversation(ada_, talk.id)));
    EXPECT_EQ(errc_of(run_task(store_->export_items(ada_, start, {}))), base::Errc::not_found);
}

TEST_F(ExportsTest, ADatabaseIsCopiedWhileItIsWritten) {
    const Conversation talk = make_conversation(ada_);
    for (int i = 0; i < 40; ++i) {
        good(run_task(store_->append_items(ada_, talk.id, {user_item(std::string(50'000, 'x'))})));
    }
    const std::string path = directory_.file("copy.db");
    int steps = 0;
    {
        const auto copy = store_->copy_database(path);
        for (bool more = true; more; ++steps) {
            more = good(run_task(copy->step()));
            if (steps < 5) {
                good(run_task(store_->append_items(ada_, talk.id, {user_item("during " + std::to_string(steps))})));
            }
        }
        EXPECT_EQ(copy->pages_done(), copy->pages());
    }
    EXPECT_GT(steps, 3) << "the copy was made in steps";
    const auto copied = good(SqliteStore::open({path, 1, counters_}));
    const ExportStart start = good(run_task(copied->begin_export(ada_, talk.id)));
    EXPECT_EQ(start.head, 45) << "what was committed between two steps is in the copy";
}

TEST_F(ExportsTest, ACopyThatIsDroppedLeavesTheStoreWorking) {
    const Conversation talk = make_conversation(ada_, {user_item(std::string(3'000'000, 'x'))});
    {
        const auto copy = store_->copy_database(directory_.file("copy.db"));
        EXPECT_TRUE(good(run_task(copy->step())));
    }
    good(run_task(store_->append_items(ada_, talk.id, {user_item("goes on")})));
    reopen();
    EXPECT_EQ(texts(ada_, talk.id).size(), 2U);
}

}  // namespace
}  // namespace confab::store
