// Folders, tags, filters, the trash, bulk changes, expiry and models' titles, on one connection.
#include "store/sqlite/organise.hpp"

#include "store/sqlite/accounts.hpp"
#include "store/sqlite/conversations.hpp"
#include "store/sqlite/migrations.hpp"
#include "store/sqlite/runs.hpp"
#include "store/sqlite/settings.hpp"
#include "store_fixture.hpp"

namespace confab::store::sqlite {
namespace {

constexpr UnixSeconds kDay = 86'400;

class OrganiseTest : public testing::Test {
protected:
    OrganiseTest() {
        good(migrate(*db_, embedded_migrations()));
        good(db_->run("BEGIN"));
        ada_ = good(create_user(*db_, new_user("ada@example.org"), IfFirst::yes)).no;
        bob_ = good(create_user(*db_, new_user("bob@example.org"), IfFirst::no)).no;
    }

    ConversationId make(UserNo user, const std::string& title = {}) {
        NewConversation wanted;
        wanted.id = ConversationId::make();
        wanted.user = user;
        wanted.title = title;
        wanted.items = {user_item("question"), answer_item("reply")};
        return good(create_conversation(*db_, wanted)).id;
    }

    Conversation patch(ConversationId id, const ConversationPatch& change) {
        return good(update_conversation(*db_, ada_, id, change));
    }

    std::vector<ConversationId> listed(const ConversationFilter& filter = {}, Order order = Order::descending) {
        std::vector<ConversationId> ids;
        std::optional<ConversationId> after;
        for (;;) {
            const auto page = good(list_filtered(*db_, ada_, filter, {after, order, 2}));
            EXPECT_LE(page.rows.size(), 2U);
            for (const Conversation& row : page.rows) {
                ids.push_back(row.id);
            }
            if (!page.has_more) {
                return ids;
            }
            after = page.rows.back().id;
        }
    }

    void set_age(ConversationId id, UnixSeconds at) {
        good(db_->run("UPDATE conversations SET updated_at = ?2 WHERE id = ?1", id, at));
    }

    void expire(UnixSeconds now) {
        for (std::optional<UserNo> user = UserNo{}; user;) {
            user = good(delete_expired_step(*db_, now, *user));
        }
    }

    bool exists(ConversationId id) { return find_conversation(*db_, ada_, id).has_value(); }

    TempDirectory directory_;
    meter::StoreCounters counters_;
    std::unique_ptr<Connection> db_ =
        good(Connection::open(directory_.file("organise.db"), Access::read_write, counters_));
    UserNo ada_{};
    UserNo bob_{};
};

using Ids = std::vector<ConversationId>;

TEST_F(OrganiseTest, FiltersFindWhatTheySayPageByPage) {
    const auto folder = good(create_folder(*db_, ada_, "Work")).id;
    Ids all;
    for (int i = 0; i < 8; ++i) {
        all.push_back(make(ada_));
        ConversationPatch change;
        change.pinned = (i & 1) != 0;
        change.archived = (i & 2) != 0;
        if ((i & 4) != 0) {
            change.folder = folder;
            change.tags = std::vector<std::string>{"red", "Blue"};
        }
        patch(all.back(), change);
    }
    make(bob_);
    const auto expect = [&](const ConversationFilter& filter, auto matches) {
        Ids wanted;
        for (int i = 7; i >= 0; --i) {
            if (matches(i)) {
                wanted.push_back(all[static_cast<std::size_t>(i)]);
            }
        }
        EXPECT_EQ(listed(filter), wanted);
        std::ranges::reverse(wanted);
        EXPECT_EQ(listed(filter, Order::ascending), wanted);
    };
    ConversationFilter filter;
    expect(filter, [](int) { return true; });
    filter.archived = false;
    expect(filter, [](int i) { return (i & 2) == 0; });
    filter.pinned = true;
    expect(filter, [](int i) { return (i & 3) == 1; });
    filter.folder = folder;
    expect(filter, [](int i) { return (i & 7) == 5; });
    filter.tag = "blue";
    expect(filter, [](int i) { return (i & 7) == 5; });
    filter = {};
    filter.tag = "RED";
    expect(filter, [](int i) { return (i & 4) != 0; });
    filter.tag = "none such";
    expect(filter, [](int) { return false; });
    filter = {};
    filter.without_folder = true;
    expect(filter, [](int i) { return (i & 4) == 0; });
    filter.without_folder = false;
    filter.folder = FolderId::make();
    EXPECT_EQ(errc_of(list_filtered(*db_, ada_, filter, {})), base::Errc::not_found);
}

TEST_F(OrganiseTest, CountsAreWithoutTheTrashAndNamesGoWithTheirLast) {
    const auto folder = good(create_folder(*db_, ada_, "Work")).id;
    const auto first = make(ada_);
    const auto second = make(ada_);
    ConversationPatch change;
    change.folder = folder;
    change.tags = std::vector<std::string>{"red"};
    patch(first, change);
    EXPECT_EQ(patch(second, change).tags, Texts{"red"});
    EXPECT_EQ(good(list_folders(*db_, ada_)).at(0).conversations, 2);
    EXPECT_EQ(good(list_tags(*db_, ada_)).at(0).conversations, 2);
    good(set_trashed(*db_, ada_, first, true));
    EXPECT_EQ(good(list_folders(*db_, ada_)).at(0).conversations, 1);
    EXPECT_EQ(good(list_tags(*db_, ada_)).at(0).conversations, 1);
    EXPECT_EQ(listed(), Ids{second});
    good(set_trashed(*db_, ada_, first, false));
    EXPECT_EQ(good(list_folders(*db_, ada_)).at(0).conversations, 2);
    good(delete_folder(*db_, ada_, folder));
    EXPECT_EQ(good(find_conversation(*db_, ada_, first)).folder, std::nullopt);
    EXPECT_TRUE(good(list_folders(*db_, ada_)).empty());
    for (const ConversationId id : {first, second}) {
        good(change_some(*db_, ada_, {id}, {BulkAction::remove, {}, {}}));
    }
    EXPECT_TRUE(good(list_tags(*db_, ada_)).empty()) << "a name is a text too";
}

TEST_F(OrganiseTest, LimitsHold) {
    const auto id = make(ada_);
    ConversationPatch change;
    change.tags.emplace();
    for (std::size_t i = 0; i < kConversationTagsMax; ++i) {
        change.tags->push_back("tag " + std::to_string(i));
    }
    EXPECT_EQ(patch(id, change).tags.size(), kConversationTagsMax);
    const auto step = good(change_some(*db_, ada_, {id}, {BulkAction::tag, {}, "one more"}));
    EXPECT_EQ(step.done, 0U);
    EXPECT_EQ(step.failed.at(0).code, "too_many_tags");
    for (std::size_t i = 0; i < kFoldersMax; ++i) {
        good(create_folder(*db_, ada_, "x"));
    }
    EXPECT_EQ(code_of(create_folder(*db_, ada_, "x")), "too_many_folders");
    good(create_folder(*db_, bob_, "x"));
}

TEST_F(OrganiseTest, TheTrashIsReadNotGoneOnWith) {
    const auto id = make(ada_);
    EXPECT_TRUE(good(set_trashed(*db_, ada_, id, true)).trashed_at);
    EXPECT_TRUE(exists(id));
    EXPECT_EQ(code_of(append_items(*db_, ada_, id, {user_item("more")})), "conversation_in_trash");
    NewRun run;
    run.id = ResponseId::make();
    run.user = ada_;
    run.target.conversation = id;
    run.input = {user_item("more")};
    run.prompt_tokens_max = 1'000;
    EXPECT_EQ(code_of(begin_run(*db_, run)), "conversation_in_trash");
    good(set_trashed(*db_, ada_, id, false));
    good(append_items(*db_, ada_, id, {user_item("more")}));
}

TEST_F(OrganiseTest, OthersThingsAreUnknown) {
    const auto mine = make(ada_);
    const auto theirs = make(bob_);
    const auto folder = good(create_folder(*db_, bob_, "theirs")).id;
    EXPECT_EQ(errc_of(set_trashed(*db_, ada_, theirs, true)), base::Errc::not_found);
    EXPECT_EQ(errc_of(rename_folder(*db_, ada_, folder, "x")), base::Errc::not_found);
    EXPECT_EQ(errc_of(delete_folder(*db_, ada_, folder)), base::Errc::not_found);
    ConversationPatch change;
    change.folder = folder;
    EXPECT_EQ(errc_of(update_conversation(*db_, ada_, mine, change)), base::Errc::not_found);
    EXPECT_EQ(errc_of(change_some(*db_, ada_, {mine}, {BulkAction::move, folder, {}})), base::Errc::not_found);
    const auto step = good(change_some(*db_, ada_, {theirs, mine}, {BulkAction::remove, {}, {}}));
    EXPECT_EQ(step.done, 1U);
    EXPECT_EQ(step.failed.at(0).id, theirs);
    EXPECT_EQ(step.failed.at(0).code, "not_found");
}

TEST_F(OrganiseTest, AllOfAFilterInBoundedSteps) {
    for (std::size_t i = 0; i < kBulkStepConversations + 3; ++i) {
        make(ada_);
    }
    make(bob_);
    std::optional<ListPlace> from;
    std::size_t done = 0;
    int steps = 0;
    do {
        const auto step = good(change_next(*db_, ada_, {}, from, {BulkAction::trash, {}, {}}));
        EXPECT_LE(step.done, kBulkStepConversations);
        done += step.done;
        from = step.next;
        ++steps;
    } while (from);
    EXPECT_EQ(steps, 2);
    EXPECT_EQ(done, kBulkStepConversations + 3);
    EXPECT_TRUE(listed().empty());
}

TEST_F(OrganiseTest, WhatIsTooOldGoesAndPinnedStays) {
    const UnixSeconds now = base::unix_now();
    const auto old = make(ada_);
    const auto pinned = make(ada_);
    const auto fresh = make(ada_);
    ConversationPatch change;
    change.pinned = true;
    patch(pinned, change);
    set_age(old, now - 10 * kDay - 1);
    set_age(pinned, now - 100 * kDay);
    set_age(fresh, now - 9 * kDay);
    expire(now);
    EXPECT_TRUE(exists(old)) << "nothing is set";
    good(put_setting(*db_, "retention_days", "20"));
    expire(now);
    EXPECT_TRUE(exists(old));
    good(put_user_settings(*db_, bob_, {5}));
    expire(now);
    EXPECT_TRUE(exists(old)) << "what others set is for them";
    good(put_user_settings(*db_, ada_, {10}));
    expire(now);
    EXPECT_FALSE(exists(old)) << "the shorter one wins";
    EXPECT_TRUE(exists(pinned));
    EXPECT_TRUE(exists(fresh));
}

TEST_F(OrganiseTest, TheTrashIsEmptiedInTime) {
    const UnixSeconds now = base::unix_now();
    Ids ids;
    for (int i = 0; i < 10; ++i) {
        ids.push_back(make(ada_));
        good(set_trashed(*db_, ada_, ids.back(), true));
    }
    expire(now + kTrashDaysDefault * kDay - 10);
    EXPECT_TRUE(exists(ids[0]));
    expire(now + kTrashDaysDefault * kDay + 10);
    for (const ConversationId id : ids) {
        EXPECT_FALSE(exists(id));
    }
}

TEST_F(OrganiseTest, AModelsTitleIsTriedOnceAndNeverOverAPersons) {
    const auto id = make(ada_);
    EXPECT_EQ(good(begin_title(*db_, bob_, id)), std::nullopt);
    const auto items = good(begin_title(*db_, ada_, id));
    ASSERT_TRUE(items);
    EXPECT_EQ(texts_of(*items), (Texts{"question", "reply"}));
    EXPECT_EQ(good(begin_title(*db_, ada_, id)), std::nullopt) << "once";
    EXPECT_TRUE(good(put_model_title(*db_, ada_, id, "A title")));
    EXPECT_EQ(good(find_conversation(*db_, ada_, id)).title, "A title");
    ConversationPatch change;
    change.title = "Mine";
    patch(id, change);
    EXPECT_FALSE(good(put_model_title(*db_, ada_, id, "Another")));
    EXPECT_EQ(good(find_conversation(*db_, ada_, id)).title, "Mine");
    EXPECT_EQ(good(begin_title(*db_, ada_, make(ada_, "Given"))), std::nullopt);
}

}  // namespace
}  // namespace confab::store::sqlite
