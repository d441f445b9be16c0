// Roles, suspension, deletion: what ends with them, and that an administrator is always left.
#include "store/sqlite/people.hpp"

#include <algorithm>

#include "store_fixture.hpp"

namespace confab::store {
namespace {

using base::Errc;

Sha256 hash_of_n(std::uint8_t n) {
    Sha256 hash{};
    hash.fill(n);
    return hash;
}

class PeopleTest : public StoreTest {
protected:
    User make_person(const std::string& email, Role role = Role::member) {
        User user = new_user(email);
        user.role = role;
        return good(run_task(store_->create_user(user, IfFirst::no)));
    }

    Session make_session(UserNo user, std::uint8_t n) {
        const Session session{SessionId::make(), user, hash_of_n(n), "browser", 1, 2};
        good(run_task(store_->create_session(session)));
        return session;
    }

    ApiKey make_key(UserNo user, std::uint8_t n) {
        const ApiKey key{KeyId::make(), user, hash_of_n(n), "name", "sk-abc", 1, std::nullopt, "[]", false, std::nullopt};
        good(run_task(store_->create_key(key)));
        return key;
    }

    Result<User> change(const User& user, const UserPatch& patch) {
        return run_task(store_->change_user(user.id, patch));
    }

    static UserPatch role(Role role) {
        UserPatch patch;
        patch.role = role;
        return patch;
    }

    static UserPatch suspended(bool yes) {
        UserPatch patch;
        patch.suspended = yes;
        return patch;
    }

    // No session and no key of the person is good any more, and none can be made.
    void expect_shut_out(const User& user, const Session& session, const ApiKey& key, const std::string& code) {
        EXPECT_EQ(errc_of(run_task(store_->find_session(session.token_hash))), Errc::not_found);
        EXPECT_EQ(errc_of(run_task(store_->find_key(key.key_hash))), Errc::not_found);
        EXPECT_EQ(
            code_of(run_task(store_->create_session({SessionId::make(), user.no, hash_of_n(91), "", 1, 1}))), code
        );
        const ApiKey another{KeyId::make(), user.no, hash_of_n(92), "", "", 1, std::nullopt, "[]", false, std::nullopt};
        EXPECT_EQ(code_of(run_task(store_->create_key(another))), code);
    }

    User root_ = make_person("root@example.org", Role::admin);
};

TEST_F(PeopleTest, ChangesAreKeptAndAbsentMembersStay) {
    const User ada = make_person("ada@example.org");
    UserPatch patch;
    patch.name = "Ada";
    EXPECT_EQ(good(change(ada, patch)).name, "Ada");
    EXPECT_EQ(good(change(ada, role(Role::admin))).role, Role::admin);
    const User found = good(run_task(store_->find_user_by_id(ada.id)));
    EXPECT_EQ(found.name, "Ada");
    EXPECT_EQ(found.role, Role::admin);
    EXPECT_EQ(found.email, "ada@example.org");
    EXPECT_EQ(found.suspended_at, std::nullopt);
    EXPECT_EQ(code_of(run_task(store_->change_user(UserId::make(), patch))), "user_not_found");
}

TEST_F(PeopleTest, SuspensionEndsSessionsAndKeysAndCanBeLifted) {
    const User ada = make_person("ada@example.org");
    const Session session = make_session(ada.no, 1);
    const ApiKey key = make_key(ada.no, 2);
    const User before = good(change(ada, suspended(true)));
    EXPECT_TRUE(before.suspended_at);
    EXPECT_EQ(good(change(ada, suspended(true))).suspended_at, before.suspended_at) << "since the first time";
    expect_shut_out(ada, session, key, "account_suspended");
    EXPECT_TRUE(good(change(ada, suspended(false))).may_enter());
    EXPECT_EQ(errc_of(run_task(store_->find_key(key.key_hash))), Errc::not_found) << "what ended stays ended";
    const Session again = make_session(ada.no, 3);
    EXPECT_EQ(good(run_task(store_->find_session(again.token_hash))).second.no, ada.no);
}

TEST_F(PeopleTest, WhoIsMadePendingIsShutOut) {
    const User ada = make_person("ada@example.org");
    const Session session = make_session(ada.no, 1);
    const ApiKey key = make_key(ada.no, 2);
    good(change(ada, role(Role::pending)));
    expect_shut_out(ada, session, key, "account_pending");
    good(change(ada, role(Role::member)));
    make_session(ada.no, 4);
}

TEST_F(PeopleTest, ADemotedAdministratorStaysSignedInAndLosesTheInvitations) {
    const User ada = make_person("ada@example.org", Role::admin);
    const Session session = make_session(ada.no, 1);
    Invitation invitation;
    invitation.id = InvitationId::make();
    invitation.token_hash = hash_of_n(7);
    invitation.created_by = ada.no;
    invitation.expires_at = base::unix_now() + 1'000;
    good(run_task(store_->create_invitation(invitation)));
    good(change(ada, role(Role::member)));
    EXPECT_EQ(good(run_task(store_->find_session(session.token_hash))).second.role, Role::member);
    EXPECT_EQ(code_of(run_task(store_->find_open_invitation(invitation.token_hash))), "invitation_invalid");
}

TEST_F(PeopleTest, TheLastActiveAdministratorStays) {
    for (const UserPatch& patch : {role(Role::member), role(Role::pending), suspended(true)}) {
        EXPECT_EQ(code_of(change(root_, patch)), "last_administrator");
    }
    EXPECT_EQ(code_of(run_task(store_->delete_user(root_.id))), "last_administrator");
    EXPECT_TRUE(good(change(root_, role(Role::admin))).may_enter()) << "what changes nothing is allowed";

    const User second = make_person("second@example.org", Role::admin);
    good(change(second, suspended(true)));
    EXPECT_EQ(code_of(change(root_, suspended(true))), "last_administrator") << "a suspended one does not count";
    EXPECT_EQ(good(change(second, role(Role::member))).role, Role::member) << "nor is it missed";
    const User third = make_person("third@example.org", Role::admin);
    good(run_task(store_->delete_user(root_.id)));
    EXPECT_EQ(code_of(run_task(store_->delete_user(third.id))), "last_administrator") << "a deleted one does not count";
}

TEST_F(PeopleTest, OfTwoAdministratorsWhoSuspendEachOtherOneIsLeft) {
    const User second = make_person("second@example.org", Role::admin);
    std::vector<net::Task<Result<User>>> tasks;
    tasks.push_back(store_->change_user(root_.id, suspended(true)));
    tasks.push_back(store_->change_user(second.id, suspended(true)));
    int done = 0;
    for (const auto& result : support::run_tasks(std::move(tasks))) {
        done += result ? 1 : 0;
    }
    EXPECT_EQ(done, 1);
}

TEST_F(PeopleTest, EndingAccessSparesTheSessionInUse) {
    const Session kept = make_session(root_.no, 1);
    const Session other = make_session(root_.no, 2);
    const ApiKey key = make_key(root_.no, 3);
    const EndedAccess ended = good(run_task(store_->end_access(root_.no, kept.id)));
    EXPECT_EQ(ended.sessions, 1);
    EXPECT_EQ(ended.keys, 1);
    good(run_task(store_->find_session(kept.token_hash)));
    EXPECT_EQ(errc_of(run_task(store_->find_session(other.token_hash))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->find_key(key.key_hash))), Errc::not_found);
}

TEST_F(PeopleTest, PeopleAreListedInPagesBothWays) {
    std::vector<std::string> made{"root@example.org"};
    for (int i = 0; i < 6; ++i) {
        made.push_back("p" + std::to_string(i) + "@example.org");
        make_person(made.back());
    }
    for (const Order order : {Order::ascending, Order::descending}) {
        std::vector<std::string> seen;
        PageRequest<UserId> request{std::nullopt, order, 3};
        for (bool more = true; more;) {
            const Page<User> page = good(run_task(store_->list_people(request)));
            EXPECT_LE(page.rows.size(), 3U);
            for (const User& user : page.rows) {
                seen.push_back(user.email);
                request.after = user.id;
            }
            more = page.has_more;
        }
        auto expected = made;
        if (order == Order::descending) {
            std::reverse(expected.begin(), expected.end());
        }
        EXPECT_EQ(seen, expected);
    }
}

TEST_F(PeopleTest, ADeletedPersonIsGoneAndTheAddressFree) {
    const User ada = make_person("ada@example.org");
    const Session session = make_session(ada.no, 1);
    EXPECT_EQ(good(run_task(store_->delete_user(ada.id))), ada.no);
    EXPECT_EQ(errc_of(run_task(store_->find_user(ada.no))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->find_user_by_id(ada.id))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->find_user_by_email("ada@example.org"))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->find_session(session.token_hash))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->delete_user(ada.id))), Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->set_password(ada.no, "x", std::nullopt))), Errc::not_found);
    EXPECT_EQ(
        errc_of(run_task(store_->create_session({SessionId::make(), ada.no, hash_of_n(9), "", 1, 1}))), Errc::not_found
    );
    EXPECT_EQ(good(run_task(store_->list_users())).size(), 1U);
    EXPECT_EQ(good(run_task(store_->count_users())), 1);
    EXPECT_NE(make_person("ada@example.org").no, ada.no);
}

}  // namespace
}  // namespace confab::store
