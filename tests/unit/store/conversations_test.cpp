#include "store/sqlite/conversations.hpp"

#include "store_fixture.hpp"

namespace confab::store {
namespace {

class ConversationsTest : public StoreTest {
protected:
    UserNo ada_ = make_user("ada@example.org");
    UserNo bob_ = make_user("bob@example.org");
};

TEST_F(ConversationsTest, AreCreatedWithTheirItemsAndFoundAgain) {
    NewConversation wanted = new_conversation(ada_, {user_item("zero"), answer_item("one")});
    wanted.title = "Title";
    wanted.model = "model-a";
    wanted.instructions = "Be kind.";
    wanted.metadata = R"({"a":"1"})";
    const Conversation made = good(run_task(store_->create_conversation(wanted)));
    EXPECT_EQ(made.head, wanted.items[1].id);

    const Conversation found = good(run_task(store_->find_conversation(ada_, wanted.id)));
    EXPECT_EQ(found.no, made.no);
    EXPECT_EQ(found.id, wanted.id);
    EXPECT_EQ(found.user, ada_);
    EXPECT_EQ(found.title, "Title");
    EXPECT_EQ(found.model, "model-a");
    EXPECT_EQ(found.instructions, "Be kind.");
    EXPECT_EQ(found.metadata, R"({"a":"1"})");
    EXPECT_FALSE(found.pinned);
    EXPECT_FALSE(found.archived);
    EXPECT_FALSE(found.last_run);
    EXPECT_FALSE(found.active_run);
    EXPECT_GT(found.created_at, 1'700'000'000);
    EXPECT_EQ(texts(ada_, wanted.id), (Texts{"zero", "one"}));
}

TEST_F(ConversationsTest, CreatedAgainWithTheSameIdAreTheSame) {
    const NewConversation wanted = new_conversation(ada_, {user_item("only once")});
    const Conversation first = good(run_task(store_->create_conversation(wanted)));
    const Conversation second = good(run_task(store_->create_conversation(wanted)));
    EXPECT_EQ(second.no, first.no);
    EXPECT_EQ(texts(ada_, wanted.id), Texts{"only once"});

    NewConversation stolen = wanted;
    stolen.user = bob_;
    EXPECT_EQ(errc_of(run_task(store_->create_conversation(stolen))), base::Errc::conflict);
}

TEST_F(ConversationsTest, AreNotFoundByOthers) {
    const Conversation mine = make_conversation(ada_, {user_item("secret")});
    const ItemId item = *mine.head;
    using base::Errc;
    EXPECT_EQ(errc_of(run_task(store_->find_conversation(bob_, mine.id))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->update_conversation(bob_, mine.id, {}))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->delete_conversation(bob_, mine.id))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->append_items(bob_, mine.id, {user_item("x")}))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->list_items(bob_, mine.id, {}))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->find_item(bob_, mine.id, item))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->delete_item(bob_, mine.id, item))), Errc::not_found);
    EXPECT_TRUE(good(run_task(store_->list_conversations(bob_, {}))).rows.empty());
    EXPECT_EQ(
        errc_of(run_task(store_->list_conversations(bob_, {mine.id, Order::descending, 20}))), Errc::invalid_request
    );

    const Conversation other = make_conversation(bob_, {user_item("mine")});
    EXPECT_EQ(errc_of(run_task(store_->find_item(bob_, other.id, item))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->delete_item(bob_, other.id, item))), Errc::not_found);
    EXPECT_EQ(
        errc_of(run_task(store_->list_items(bob_, other.id, {item, Order::ascending, 20}))), Errc::invalid_request
    );
}

TEST_F(ConversationsTest, ChangeOnlyWhatThePatchNames) {
    NewConversation wanted = new_conversation(ada_);
    wanted.title = "Before";
    wanted.instructions = "Be kind.";
    const auto id = good(run_task(store_->create_conversation(wanted))).id;
    ConversationPatch patch;
    patch.title = "After";
    patch.pinned = true;
    good(run_task(store_->update_conversation(ada_, id, patch)));
    patch = {};
    patch.instructions = "";
    patch.archived = true;
    const Conversation changed = good(run_task(store_->update_conversation(ada_, id, patch)));
    EXPECT_EQ(changed.title, "After");
    EXPECT_EQ(changed.instructions, "");
    EXPECT_TRUE(changed.pinned);
    EXPECT_TRUE(changed.archived);
}

TEST_F(ConversationsTest, AreListedNewestFirstPageByPageBothWays) {
    std::vector<ConversationId> ids;
    for (int i = 0; i < 7; ++i) {
        ids.push_back(make_conversation(ada_).id);
        make_conversation(bob_);
    }
    for (const Order order : {Order::descending, Order::ascending}) {
        std::vector<ConversationId> seen;
        PageRequest<ConversationId> request{std::nullopt, order, 3};
        for (bool more = true; more;) {
            const auto listed = good(run_task(store_->list_conversations(ada_, request)));
            EXPECT_LE(listed.rows.size(), 3U);
            for (const Conversation& row : listed.rows) {
                seen.push_back(row.id);
            }
            more = listed.has_more;
            request.after = seen.back();
        }
        if (order == Order::descending) {
            std::reverse(seen.begin(), seen.end());
        }
        EXPECT_EQ(seen, ids);
    }
}

TEST_F(ConversationsTest, DeletedAreGoneButRemainGoodAsCursors) {
    const auto first = make_conversation(ada_).id;
    const auto second = make_conversation(ada_, {user_item("x")}).id;
    EXPECT_EQ(good(run_task(store_->delete_conversation(ada_, second))), std::nullopt);
    EXPECT_EQ(errc_of(run_task(store_->find_conversation(ada_, second))), base::Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->delete_conversation(ada_, second))), base::Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->list_items(ada_, second, {}))), base::Errc::not_found);
    const auto rest = good(run_task(store_->list_conversations(ada_, {second, Order::descending, 20})));
    ASSERT_EQ(rest.rows.size(), 1U);
    EXPECT_EQ(rest.rows[0].id, first);
}

TEST_F(ConversationsTest, AppendedItemsComeBackWhole) {
    const auto id = make_conversation(ada_).id;
    NewItem parts = new_item(ItemRole::developer, R"([{"type":"input_text","text":"a"}])", 7);
    parts.format = BodyFormat::json;
    parts.status = ItemStatus::incomplete;
    const auto added = good(run_task(store_->append_items(ada_, id, {user_item("Grüße 😀", 3), parts})));
    ASSERT_EQ(added.size(), 2U);
    for (const Item& one : added) {
        const Item found = good(run_task(store_->find_item(ada_, id, one.id)));
        EXPECT_EQ(found.body, one.body);
        EXPECT_EQ(found.role, one.role);
        EXPECT_EQ(found.status, one.status);
        EXPECT_EQ(found.format, one.format);
        EXPECT_EQ(found.tokens, one.tokens);
        EXPECT_EQ(found.bytes, static_cast<std::int64_t>(one.body.size()));
        EXPECT_EQ(found.position, one.position);
        EXPECT_EQ(found.branch, one.branch);
        EXPECT_EQ(found.created_at, one.created_at);
        EXPECT_FALSE(found.truncated);
        EXPECT_FALSE(found.response);
    }
    EXPECT_EQ(added[1].position, 2);
}

TEST_F(ConversationsTest, AppendingTheSameIdsAgainAddsNothing) {
    const auto id = make_conversation(ada_, {user_item("zero")}).id;
    const std::vector<NewItem> items{user_item("one"), answer_item("two")};
    const auto first = good(run_task(store_->append_items(ada_, id, items)));
    const auto second = good(run_task(store_->append_items(ada_, id, items)));
    ASSERT_EQ(second.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(second[i].id, first[i].id);
        EXPECT_EQ(second[i].body, first[i].body);
        EXPECT_EQ(second[i].position, first[i].position);
    }
    EXPECT_EQ(texts(ada_, id), (Texts{"zero", "one", "two"}));

    const auto elsewhere = make_conversation(ada_).id;
    EXPECT_EQ(errc_of(run_task(store_->append_items(ada_, elsewhere, items))), base::Errc::conflict);
    const std::vector<NewItem> half_known{items[0], user_item("new")};
    EXPECT_EQ(errc_of(run_task(store_->append_items(ada_, id, half_known))), base::Errc::conflict);
    const std::vector<NewItem> half_new{user_item("new"), items[0]};
    EXPECT_EQ(errc_of(run_task(store_->append_items(ada_, id, half_new))), base::Errc::conflict);
    EXPECT_EQ(texts(ada_, id), (Texts{"zero", "one", "two"}));
}

TEST_F(ConversationsTest, ADeletedItemLeavesTheOthersInPlace) {
    const Conversation conversation = make_conversation(ada_, {user_item("a"), answer_item("b"), user_item("c")});
    const auto all = page(ada_, conversation.id, Order::ascending, 10).rows;
    const Conversation after = good(run_task(store_->delete_item(ada_, conversation.id, all[1].id)));
    EXPECT_EQ(after.head, all[2].id);
    EXPECT_EQ(texts(ada_, conversation.id), (Texts{"a", "c"}));
    EXPECT_EQ(page(ada_, conversation.id, Order::ascending, 10).rows[1].position, 3);
    EXPECT_EQ(errc_of(run_task(store_->find_item(ada_, conversation.id, all[1].id))), base::Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->delete_item(ada_, conversation.id, all[1].id))), base::Errc::not_found);
    // Still a place to page from.
    EXPECT_EQ(texts_of(page(ada_, conversation.id, Order::ascending, 10, all[1].id).rows), Texts{"c"});
    EXPECT_EQ(texts_of(page(ada_, conversation.id, Order::descending, 10, all[1].id).rows), Texts{"a"});

    EXPECT_EQ(good(run_task(store_->delete_item(ada_, conversation.id, all[2].id))).head, all[0].id);
    EXPECT_EQ(good(run_task(store_->delete_item(ada_, conversation.id, all[0].id))).head, std::nullopt);
    EXPECT_TRUE(texts(ada_, conversation.id).empty());
}

}  // namespace
}  // namespace confab::store
