// Pages against a plain model: whatever the sizes, each item is seen once, in order, within the caps.
#include <random>

#include <gtest/gtest.h>

#include "base/text.hpp"
#include "store_fixture.hpp"

namespace confab::store {
namespace {

class ItemPagesTest : public StoreTest {
protected:
    // Pages through the whole conversation and checks the caps on the way.
    std::vector<Item> read_all(ConversationId id, Order order, const std::function<std::size_t()>& limit_of_next_page) {
        std::vector<Item> all;
        std::optional<ItemId> after;
        for (bool more = true; more;) {
            const std::size_t limit = limit_of_next_page();
            auto one = page(ada_, id, order, limit, after);
            std::size_t bytes = 0;
            for (const Item& item : one.rows) {
                bytes += item.body.size();
            }
            EXPECT_LE(one.rows.size(), limit);
            EXPECT_LE(bytes, kPageBytesMax);
            EXPECT_FALSE(one.rows.empty() && one.has_more) << "a page without rows cannot be followed";
            std::move(one.rows.begin(), one.rows.end(), std::back_inserter(all));
            more = one.has_more;
            after = all.empty() ? std::nullopt : std::optional(all.back().id);
        }
        return all;
    }

    UserNo ada_ = make_user("ada@example.org");
};

TEST_F(ItemPagesTest, AgreeWithAPlainListInRandomPages) {
    std::mt19937 random(1);
    const auto id = make_conversation(ada_).id;
    std::vector<NewItem> model;
    for (int batch = 0; batch < 40; ++batch) {
        std::vector<NewItem> items;
        for (unsigned i = random() % 9; i > 0; --i) {
            const std::size_t size = random() % 20 == 0 ? random() % 200'000 : random() % 3'000;
            items.push_back(user_item(std::string(size, static_cast<char>('a' + random() % 26))));
        }
        good(run_task(store_->append_items(ada_, id, items)));
        model.insert(model.end(), items.begin(), items.end());
    }
    for (int round = 0; round < 6; ++round) {
        if (round % 2 == 0) {
            const std::size_t gone = random() % model.size();
            good(run_task(store_->delete_item(ada_, id, model[gone].id)));
            model.erase(model.begin() + static_cast<std::ptrdiff_t>(gone));
        }
        const Order order = round % 2 == 0 ? Order::descending : Order::ascending;
        auto all = read_all(id, order, [&] { return 1 + random() % 40; });
        if (order == Order::descending) {
            std::reverse(all.begin(), all.end());
        }
        ASSERT_EQ(all.size(), model.size());
        for (std::size_t i = 0; i < all.size(); ++i) {
            ASSERT_EQ(all[i].id, model[i].id);
            ASSERT_EQ(all[i].bytes, static_cast<std::int64_t>(model[i].body.size()));
            ASSERT_EQ(all[i].truncated, model[i].body.size() > kPageItemBytesMax);
            ASSERT_EQ(all[i].body, model[i].body.substr(0, kPageItemBytesMax));
        }
    }
}

TEST_F(ItemPagesTest, SayWhetherMoreIsThere) {
    const auto id = make_conversation(ada_, {user_item("a"), user_item("b"), user_item("c")}).id;
    EXPECT_TRUE(page(ada_, id, Order::descending, 2).has_more);
    EXPECT_FALSE(page(ada_, id, Order::descending, 3).has_more);
    EXPECT_TRUE(page(ada_, id, Order::ascending, 2).has_more);
    EXPECT_FALSE(page(ada_, id, Order::ascending, 4).has_more);
    const auto newest = page(ada_, id, Order::descending, 1).rows.at(0).id;
    EXPECT_TRUE(page(ada_, id, Order::ascending, 5, newest).rows.empty());
    const auto oldest = page(ada_, id, Order::ascending, 1).rows.at(0).id;
    EXPECT_TRUE(page(ada_, id, Order::descending, 5, oldest).rows.empty());
    EXPECT_EQ(
        errc_of(run_task(store_->list_items(ada_, id, {ItemId::make(), Order::ascending, 5}))),
        base::Errc::invalid_request
    );
}

TEST_F(ItemPagesTest, CutALargeBodyBetweenCharactersAndGiveItWholeByItself) {
    std::string text = "xy";  // so that the cap falls inside a character
    while (text.size() < 400'000) {
        text += "漢";
    }
    const Conversation conversation = make_conversation(ada_, {user_item(text)});
    const Item cut = page(ada_, conversation.id, Order::descending, 10).rows.at(0);
    EXPECT_TRUE(cut.truncated);
    EXPECT_EQ(cut.bytes, static_cast<std::int64_t>(text.size()));
    EXPECT_TRUE(base::is_utf8(cut.body));
    EXPECT_TRUE(text.starts_with(cut.body));
    EXPECT_GT(cut.body.size(), kPageItemBytesMax - 4);
    EXPECT_LE(cut.body.size(), kPageItemBytesMax);
    const Item whole = good(run_task(store_->find_item(ada_, conversation.id, *conversation.head)));
    EXPECT_FALSE(whole.truncated);
    EXPECT_EQ(whole.body, text);
}

TEST_F(ItemPagesTest, StayInPlaceWhileMessagesAreAdded) {
    const auto id = make_conversation(ada_).id;
    for (int i = 0; i < 6; ++i) {
        good(run_task(store_->append_items(ada_, id, {user_item(std::to_string(i))})));
    }
    const auto first = page(ada_, id, Order::descending, 2);
    good(run_task(store_->append_items(ada_, id, {user_item("late")})));
    EXPECT_EQ(texts_of(page(ada_, id, Order::descending, 2, first.rows.back().id).rows), (Texts{"3", "2"}));
    EXPECT_EQ(texts_of(page(ada_, id, Order::ascending, 9, first.rows.front().id).rows), Texts{"late"});
}

TEST_F(ItemPagesTest, OfAPromptAreWholeAndBounded) {
    std::vector<NewItem> items;
    for (int i = 0; i < 30; ++i) {
        items.push_back(user_item(std::string(30'000, 'x') + std::to_string(i)));
    }
    items.push_back(user_item(std::string(kPageBytesMax + 1, 'y')));
    const auto id = make_conversation(ada_, items).id;
    const BegunRun begun = begin_in(ada_, id, {user_item("last")});
    const auto batch =
        good(run_task(store_->list_prompt_items(begun.conversation_no, begun.branch, 1, begun.prompt.head)));
    EXPECT_EQ(batch.size(), kPageBytesMax / 30'002);
    const auto alone =
        good(run_task(store_->list_prompt_items(begun.conversation_no, begun.branch, 31, begun.prompt.head)));
    ASSERT_EQ(alone.size(), 1U);
    EXPECT_EQ(alone[0].body.size(), kPageBytesMax + 1) << "at least one, and whole";
    EXPECT_FALSE(alone[0].truncated);
    EXPECT_EQ(prompt_of(begun).size(), 32U);
}

}  // namespace
}  // namespace confab::store
