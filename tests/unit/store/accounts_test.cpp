#include "store/sqlite/accounts.hpp"

#include "store_fixture.hpp"

namespace confab::store {
namespace {

using base::Errc;

class AccountsTest : public StoreTest {
protected:
    static Sha256 hash_of(std::uint8_t n) {
        Sha256 hash{};
        hash.fill(n);
        return hash;
    }

    Session make_session(UserNo user, std::uint8_t n) {
        const Session session{SessionId::make(), user, hash_of(n), "browser", 1'000 + n, 2'000 + n};
        good(run_task(store_->create_session(session)));
        return session;
    }

    ApiKey make_key(UserNo user, std::uint8_t n) {
        const ApiKey key{KeyId::make(), user, hash_of(n), "name", "sk-abc", 1'000 + n, std::nullopt, "[]", false, std::nullopt};
        good(run_task(store_->create_key(key)));
        return key;
    }
};

TEST_F(AccountsTest, UsersAreMadeAndFound) {
    User wanted = new_user("ada@example.org");
    wanted.role = Role::admin;
    const User made = good(run_task(store_->create_user(wanted, IfFirst::yes)));
    for (const User& found :
         {good(run_task(store_->find_user(made.no))), good(run_task(store_->find_user_by_email("ada@example.org")))}) {
        EXPECT_EQ(found.no, made.no);
        EXPECT_EQ(found.id, wanted.id);
        EXPECT_EQ(found.email, wanted.email);
        EXPECT_EQ(found.name, wanted.name);
        EXPECT_EQ(found.role, Role::admin);
        EXPECT_EQ(found.password_hash, wanted.password_hash);
        EXPECT_EQ(found.created_at, wanted.created_at);
    }
    EXPECT_EQ(errc_of(run_task(store_->find_user_by_email("bob@example.org"))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->find_user(UserNo{99}))), Errc::not_found);
    EXPECT_EQ(good(run_task(store_->create_user(wanted, IfFirst::yes))).no, made.no) << "the same id again";
    EXPECT_EQ(good(run_task(store_->count_users())), 1);
}

TEST_F(AccountsTest, AnAddressIsTakenOnlyOnceAndTheFirstUserIsOnlyOne) {
    good(run_task(store_->create_user(new_user("ada@example.org"), IfFirst::yes)));
    EXPECT_EQ(code_of(run_task(store_->create_user(new_user("ada@example.org"), IfFirst::no))), "email_taken");
    EXPECT_EQ(code_of(run_task(store_->create_user(new_user("bob@example.org"), IfFirst::yes))), "setup_already_done");
    good(run_task(store_->create_user(new_user("bob@example.org"), IfFirst::no)));
    const auto users = good(run_task(store_->list_users()));
    ASSERT_EQ(users.size(), 2U);
    EXPECT_EQ(users[0].email, "ada@example.org");
    EXPECT_EQ(users[1].email, "bob@example.org");
}

TEST_F(AccountsTest, SetupRacesHaveOneWinner) {
    std::vector<net::Task<Result<User>>> tasks;
    for (int i = 0; i < 20; ++i) {
        tasks.push_back(store_->create_user(new_user(std::to_string(i) + "@example.org"), IfFirst::yes));
    }
    int winners = 0;
    for (const auto& result : support::run_tasks(std::move(tasks))) {
        winners += result ? 1 : 0;
    }
    EXPECT_EQ(winners, 1);
}

TEST_F(AccountsTest, SessionsLiveUntilTheyAreEnded) {
    const UserNo ada = make_user("ada@example.org");
    const UserNo bob = make_user("bob@example.org");
    const Session first = make_session(ada, 1);
    const Session second = make_session(ada, 2);
    good(run_task(store_->create_session(first)));
    const auto [found, owner] = good(run_task(store_->find_session(first.token_hash)));
    EXPECT_EQ(found.id, first.id);
    EXPECT_EQ(found.user, ada);
    EXPECT_EQ(found.user_agent, "browser");
    EXPECT_EQ(found.created_at, first.created_at);
    EXPECT_EQ(owner.email, "ada@example.org");
    const auto listed = good(run_task(store_->list_sessions(ada)));
    ASSERT_EQ(listed.size(), 2U);
    EXPECT_EQ(listed[0].id, second.id) << "newest first";

    good(run_task(store_->touch_session(first.id, 9'000)));
    EXPECT_EQ(good(run_task(store_->find_session(first.token_hash))).first.last_seen_at, 9'000);
    EXPECT_EQ(errc_of(run_task(store_->delete_session(bob, first.id))), Errc::not_found);
    good(run_task(store_->delete_sessions_before(8'999)));
    EXPECT_EQ(errc_of(run_task(store_->find_session(second.token_hash))), Errc::not_found);
    good(run_task(store_->delete_session(ada, first.id)));
    EXPECT_EQ(errc_of(run_task(store_->find_session(first.token_hash))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->delete_session(ada, first.id))), Errc::not_found);
}

TEST_F(AccountsTest, ANewPasswordEndsTheOtherSessions) {
    const UserNo ada = make_user("ada@example.org");
    const UserNo bob = make_user("bob@example.org");
    const Session kept = make_session(ada, 1);
    make_session(ada, 2);
    make_session(bob, 3);
    good(run_task(store_->set_password(ada, "$new$", kept.id)));
    EXPECT_EQ(good(run_task(store_->find_user(ada))).password_hash, "$new$");
    const auto left = good(run_task(store_->list_sessions(ada)));
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].id, kept.id);
    good(run_task(store_->set_password(ada, "$newer$", std::nullopt)));
    EXPECT_TRUE(good(run_task(store_->list_sessions(ada))).empty());
    EXPECT_EQ(good(run_task(store_->list_sessions(bob))).size(), 1U);
    EXPECT_EQ(errc_of(run_task(store_->set_password(UserNo{99}, "", std::nullopt))), Errc::not_found);
}

TEST_F(AccountsTest, KeysLiveUntilTheyAreDeleted) {
    const UserNo ada = make_user("ada@example.org");
    const UserNo bob = make_user("bob@example.org");
    const ApiKey first = make_key(ada, 1);
    const ApiKey second = make_key(ada, 2);
    const auto [found, owner] = good(run_task(store_->find_key(first.key_hash)));
    EXPECT_EQ(found.id, first.id);
    EXPECT_EQ(found.name, "name");
    EXPECT_EQ(found.prefix, "sk-abc");
    EXPECT_FALSE(found.last_used_at);
    EXPECT_EQ(owner.no, ada);
    good(run_task(store_->touch_key(first.id, 77)));
    const auto listed = good(run_task(store_->list_keys(ada)));
    ASSERT_EQ(listed.size(), 2U);
    EXPECT_EQ(listed[0].id, second.id);
    EXPECT_EQ(listed[1].last_used_at, 77);
    EXPECT_EQ(errc_of(run_task(store_->delete_key(bob, first.id))), Errc::not_found);
    good(run_task(store_->delete_key(ada, first.id)));
    EXPECT_EQ(errc_of(run_task(store_->find_key(first.key_hash))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->find_key(hash_of(9)))), Errc::not_found);
}

TEST_F(AccountsTest, SettingsAreKeptByName) {
    EXPECT_EQ(good(run_task(store_->get_setting("title"))), std::nullopt);
    good(run_task(store_->put_setting("title", "one")));
    good(run_task(store_->put_setting("title", "two")));
    good(run_task(store_->put_setting("empty", "")));
    reopen();
    EXPECT_EQ(good(run_task(store_->get_setting("title"))), "two");
    EXPECT_EQ(good(run_task(store_->get_setting("empty"))), "");
}

}  // namespace
}  // namespace confab::store
