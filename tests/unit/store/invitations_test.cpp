// Signing up with and without an invitation.
#include <algorithm>

#include "store/sqlite/people.hpp"
#include "store_fixture.hpp"

namespace confab::store {
namespace {

using base::Errc;

class InvitationsTest : public StoreTest {
protected:
    Invitation make_invitation(std::uint8_t n, std::int64_t uses_max = 1, UnixSeconds seconds_left = 1'000) {
        Invitation invitation;
        invitation.id = InvitationId::make();
        invitation.token_hash.fill(n);
        invitation.created_by = root_;
        invitation.note = "for " + std::to_string(n);
        invitation.uses_max = uses_max;
        invitation.created_at = base::unix_now();
        invitation.expires_at = base::unix_now() + seconds_left;
        good(run_task(store_->create_invitation(invitation)));
        return invitation;
    }

    Result<User> sign_up(const std::string& email, const std::optional<Sha256>& invitation, Role role = Role::pending) {
        User user = new_user(email);
        user.role = role;
        return run_task(store_->sign_up(user, invitation));
    }

    UserNo root_ = make_user("root@example.org");
};

TEST_F(InvitationsTest, OneIsGoodForAsManyAsItSays) {
    const Invitation invitation = make_invitation(1, 2);
    EXPECT_EQ(good(sign_up("a@example.org", invitation.token_hash)).role, Role::member) << "the invitation's role";
    EXPECT_EQ(good(run_task(store_->find_open_invitation(invitation.token_hash))).uses, 1);
    EXPECT_EQ(code_of(sign_up("a@example.org", invitation.token_hash)), "email_taken");
    EXPECT_EQ(good(run_task(store_->find_open_invitation(invitation.token_hash))).uses, 1)
        << "a failure uses nothing up";
    good(sign_up("b@example.org", invitation.token_hash));
    EXPECT_EQ(code_of(sign_up("c@example.org", invitation.token_hash)), "invitation_invalid");
    EXPECT_EQ(errc_of(run_task(store_->find_user_by_email("c@example.org"))), Errc::not_found);
}

TEST_F(InvitationsTest, ARaceForTheLastUseHasOneWinner) {
    const Invitation invitation = make_invitation(1);
    std::vector<net::Task<Result<User>>> tasks;
    for (int i = 0; i < 10; ++i) {
        tasks.push_back(store_->sign_up(new_user(std::to_string(i) + "@example.org"), invitation.token_hash));
    }
    int winners = 0;
    for (const auto& result : support::run_tasks(std::move(tasks))) {
        winners += result ? 1 : 0;
    }
    EXPECT_EQ(winners, 1);
}

TEST_F(InvitationsTest, OneThatIsUnknownExpiredOrWithdrawnIsWorthNothing) {
    const Invitation expired = make_invitation(1, 1, 0);
    const Invitation withdrawn = make_invitation(2);
    good(run_task(store_->delete_invitation(withdrawn.id)));
    EXPECT_EQ(code_of(run_task(store_->delete_invitation(withdrawn.id))), "invitation_not_found");
    Sha256 unknown{};
    unknown.fill(3);
    for (const Sha256& hash : {expired.token_hash, withdrawn.token_hash, unknown}) {
        EXPECT_EQ(code_of(run_task(store_->find_open_invitation(hash))), "invitation_invalid");
        EXPECT_EQ(code_of(sign_up("x@example.org", hash)), "invitation_invalid");
    }
}

TEST_F(InvitationsTest, TheyAreListedInPagesAndExpiredOnesGoInTheEnd) {
    make_invitation(1, 1, -10);
    make_invitation(2);
    make_invitation(3);
    PageRequest<InvitationId> request{std::nullopt, Order::descending, 2};
    const Page<Invitation> first = good(run_task(store_->list_invitations(request)));
    ASSERT_EQ(first.rows.size(), 2U);
    EXPECT_TRUE(first.has_more);
    EXPECT_EQ(first.rows[0].note, "for 3");
    request.after = first.rows[1].id;
    const Page<Invitation> second = good(run_task(store_->list_invitations(request)));
    ASSERT_EQ(second.rows.size(), 1U);
    EXPECT_EQ(second.rows[0].note, "for 1");
    good(run_task(store_->delete_invitations_expired_before(base::unix_now())));
    const PageRequest<InvitationId> ascending{std::nullopt, Order::ascending, 10};
    EXPECT_EQ(good(run_task(store_->list_invitations(ascending))).rows.size(), 2U);
}

TEST_F(InvitationsTest, OnlySoManyPeopleWait) {
    std::vector<net::Task<Result<User>>> tasks;
    for (std::int64_t i = 0; i < kPendingUsersMax; ++i) {
        User user = new_user(std::to_string(i) + "@example.org");
        user.role = Role::pending;
        tasks.push_back(store_->sign_up(user, std::nullopt));
    }
    for (const auto& result : support::run_tasks(std::move(tasks))) {
        good(result);
    }
    EXPECT_EQ(code_of(sign_up("late@example.org", std::nullopt)), "too_many_pending");
    good(sign_up("member@example.org", std::nullopt, Role::member));
    const User first = good(run_task(store_->find_user_by_email("0@example.org")));
    good(run_task(store_->delete_user(first.id)));
    good(sign_up("late@example.org", std::nullopt));
}

TEST_F(InvitationsTest, ThereAreOnlySoMany) {
    std::vector<net::Task<Status>> tasks;
    for (std::int64_t i = 0; i < kInvitationsMax; ++i) {
        Invitation invitation;
        invitation.id = InvitationId::make();
        std::copy(invitation.id.bytes.begin(), invitation.id.bytes.end(), invitation.token_hash.begin());
        tasks.push_back(store_->create_invitation(invitation));
    }
    for (const auto& result : support::run_tasks(std::move(tasks))) {
        good(result);
    }
    Invitation more;
    more.id = InvitationId::make();
    EXPECT_EQ(code_of(run_task(store_->create_invitation(more))), "too_many_invitations");
}

}  // namespace
}  // namespace confab::store
