// Shares: a snapshot is a place on a path, and every way in which one ends.
#include "store/sqlite/shares.hpp"

#include "store_fixture.hpp"

namespace confab::store {
namespace {

using base::Errc;

class SharesTest : public StoreTest {
protected:
    static Sha256 hash_of(std::uint8_t n) {
        Sha256 hash{};
        hash.fill(n);
        return hash;
    }

    Share share(ConversationId conversation, std::uint8_t n, std::optional<UnixSeconds> expires_at = std::nullopt) {
        const NewShare wanted{ShareId::make(), hash_of(n), 1'700'000'000, expires_at};
        return good(run_task(store_->create_share(ada_, conversation, wanted)));
    }

    Result<SharedPage> read(std::uint8_t n, Position after = 0, std::size_t limit = 100) {
        return run_task(store_->read_share(hash_of(n), after, limit));
    }

    Texts shown(std::uint8_t n) { return texts_of(good(read(n)).rows); }

    UserNo ada_ = make_user("ada@example.org");
};

TEST_F(SharesTest, ShowTheirPathAsItWas) {
    const auto made = make_conversation(ada_, {user_item("one"), answer_item("two")});
    share(made.id, 1);
    good(run_task(store_->append_items(ada_, made.id, {user_item("later")})));
    const auto first = page(ada_, made.id, Order::ascending, 1).rows.front().id;
    good(run_task(store_->set_head(ada_, made.id, first, Descend::no)));
    good(run_task(store_->append_items(ada_, made.id, {answer_item("another")})));
    share(made.id, 2);
    EXPECT_EQ(shown(1), (Texts{"one", "two"}));
    EXPECT_EQ(shown(2), (Texts{"one", "another"}));
    EXPECT_EQ(errc_of(run_task(store_->read_shared_item(hash_of(1), 3))), Errc::not_found);
    EXPECT_EQ(good(run_task(store_->read_shared_item(hash_of(1), 2))).item.body, "two");
}

TEST_F(SharesTest, AreReadPageByPageWithoutThoughts) {
    NewItem thought = answer_item("a thought");
    thought.id = ItemId::make(ItemType::reasoning);
    const auto made = make_conversation(ada_, {user_item("one"), thought, answer_item("two"), user_item("three")});
    share(made.id, 1);
    const SharedPage first = good(read(1, 0, 2));
    EXPECT_EQ(texts_of(first.rows), (Texts{"one", "two"}));
    EXPECT_TRUE(first.has_more);
    const SharedPage rest = good(read(1, first.rows.back().position, 2));
    EXPECT_EQ(texts_of(rest.rows), (Texts{"three"}));
    EXPECT_FALSE(rest.has_more);
    EXPECT_EQ(errc_of(run_task(store_->read_shared_item(hash_of(1), 2))), Errc::not_found);
}

TEST_F(SharesTest, OfAnAnswerThatIsContinuedLoseItRatherThanShowMore) {
    const auto made = make_conversation(ada_);
    const BegunRun begun = begin_in(ada_, made.id, {user_item("question")});
    NewItem half = answer_item("half");
    half.status = ItemStatus::incomplete;
    finish(begun.no, {half}, RunStatus::incomplete);
    share(made.id, 1);
    EXPECT_EQ(shown(1), (Texts{"question", "half"}));
    NewRun next = new_run(ada_, {});
    next.target.conversation = made.id;
    next.continues = true;
    const BegunRun continued = good(run_task(store_->begin_run(std::move(next))));
    finish(continued.no, {answer_item("half and the rest")});
    EXPECT_EQ(shown(1), (Texts{"question"}));
}

TEST_F(SharesTest, EndWithTheirTime) {
    const auto made = make_conversation(ada_, {user_item("one")});
    const UnixSeconds now = base::unix_now();
    share(made.id, 1, now);
    share(made.id, 2, now + 100);
    share(made.id, 3);
    EXPECT_EQ(errc_of(read(1)), Errc::not_found);
    EXPECT_EQ(shown(2), (Texts{"one"}));
    EXPECT_EQ(shown(3), (Texts{"one"}));
    good(run_task(store_->delete_shares_expired_before(now + 1)));
    EXPECT_EQ(good(run_task(store_->list_shares(ada_, made.id, {std::nullopt, Order::ascending, 10}))).rows.size(), 2U);
}

TEST_F(SharesTest, EndWithTheirConversationTheirOwnerAndTheSetting) {
    const auto made = make_conversation(ada_, {user_item("one")});
    share(made.id, 1);
    good(run_task(store_->put_setting(std::string(kSettingSharing), "off")));
    EXPECT_EQ(errc_of(read(1)), Errc::not_found);
    EXPECT_EQ(code_of(run_task(store_->create_share(ada_, made.id, {ShareId::make(), hash_of(9), 1, {}}))), "sharing_off");
    good(run_task(store_->put_setting(std::string(kSettingSharing), "on")));
    good(read(1));
    good(run_task(store_->set_trashed(ada_, made.id, true)));
    EXPECT_EQ(errc_of(read(1)), Errc::not_found);
    good(run_task(store_->set_trashed(ada_, made.id, false)));
    const User ada = good(run_task(store_->find_user(ada_)));
    UserPatch patch;
    patch.suspended = true;
    good(run_task(store_->change_user(ada.id, patch)));
    EXPECT_EQ(errc_of(read(1)), Errc::not_found);
    patch.suspended = false;
    good(run_task(store_->change_user(ada.id, patch)));
    good(read(1));
    good(run_task(store_->delete_conversation(ada_, made.id)));
    EXPECT_EQ(errc_of(read(1)), Errc::not_found);
    const auto left = good(run_task(store_->list_shares(ada_, std::nullopt, {std::nullopt, Order::ascending, 10})));
    EXPECT_TRUE(left.rows.empty()) << "the row, with the title in it, is gone too";
}

TEST_F(SharesTest, AreTheirOwnersAlone) {
    const UserNo eve = make_user("eve@example.org");
    const auto made = make_conversation(ada_, {user_item("one")});
    const Share mine = share(made.id, 1);
    const NewShare wanted{ShareId::make(), hash_of(2), 1, {}};
    EXPECT_EQ(errc_of(run_task(store_->create_share(eve, made.id, wanted))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->delete_share(eve, mine.id))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->list_shares(eve, made.id, {std::nullopt, Order::ascending, 10}))), Errc::not_found);
    EXPECT_TRUE(good(run_task(store_->list_shares(eve, std::nullopt, {std::nullopt, Order::ascending, 10}))).rows.empty());
    good(run_task(store_->delete_share(ada_, mine.id)));
    EXPECT_EQ(errc_of(read(1)), Errc::not_found);
}

}  // namespace
}  // namespace confab::store
