// Requests that may be repeated: whose they are, and that they are bounded in number, bytes and age.
#include "store/sqlite/calls.hpp"

#include "store/sqlite/accounts.hpp"
#include "store/sqlite/identities.hpp"
#include "store/sqlite/migrations.hpp"
#include "store/sqlite/people.hpp"
#include "store_fixture.hpp"

namespace confab::store::sqlite {
namespace {

class CallsTest : public ::testing::Test {
protected:
    CallsTest() {
        good(migrate(*db_, embedded_migrations()));
        ada_ = good(create_user(*db_, new_user("ada@example.org"), IfFirst::yes)).no;
        bob_ = good(create_user(*db_, new_user("bob@example.org"), IfFirst::no)).no;
    }

    NewCall call(UserNo user, std::uint8_t scope, std::uint8_t body = 1, std::int64_t process = 7) const {
        NewCall call;
        call.user = user;
        call.scope.fill(scope);
        call.body.fill(body);
        call.process = process;
        call.made = "made " + std::to_string(scope);
        return call;
    }

    Call begin(const NewCall& call) { return good(begin_call(*db_, call, now_)); }

    void finish(CallNo no, std::string answer) {
        FinishedCall finished;
        finished.no = no;
        finished.status = 200;
        finished.answer = std::move(answer);
        good(finish_call(*db_, finished));
    }

    std::int64_t number(Sql sql) {
        auto found = db_->use(sql);
        good(found.step());
        return found.integer(0);
    }

    TempDirectory directory_;
    meter::StoreCounters counters_;
    std::unique_ptr<Connection> db_ = good(Connection::open(directory_.file("calls.db"), Access::read_write, counters_));
    UserNo ada_{};
    UserNo bob_{};
    UnixSeconds now_ = 1'800'000'000;
};

TEST_F(CallsTest, AreKnownByPersonAndScope) {
    const Call first = begin(call(ada_, 1));
    EXPECT_EQ(first.state, CallState::begun);
    EXPECT_EQ(begin(call(ada_, 1)).state, CallState::running);
    EXPECT_EQ(begin(call(bob_, 1)).state, CallState::begun);
    EXPECT_EQ(begin(call(ada_, 2)).state, CallState::begun);
    finish(first.no, "answer");
    const Call again = begin(call(ada_, 1));
    EXPECT_EQ(again.state, CallState::finished);
    EXPECT_EQ(again.answer, "answer");
    EXPECT_EQ(code_of(begin_call(*db_, call(ada_, 1, 2), now_)), "idempotency_key_reused");
}

TEST_F(CallsTest, OfAProcessThatEndedAreTakenOverOnce) {
    begin(call(ada_, 1, 1, 7));
    EXPECT_EQ(begin(call(ada_, 1, 1, 8)).state, CallState::interrupted);
    EXPECT_EQ(begin(call(ada_, 1, 1, 8)).state, CallState::running);
    good(interrupt_call(*db_, begin(call(ada_, 1, 1, 8)).no));
    EXPECT_EQ(begin(call(ada_, 1, 1, 8)).state, CallState::interrupted);
}

TEST_F(CallsTest, LastForADay) {
    finish(begin(call(ada_, 1)).no, "answer");
    now_ += kCallKept - 1;
    EXPECT_EQ(begin(call(ada_, 1)).state, CallState::finished);
    EXPECT_FALSE(good(delete_calls_before(*db_, now_ - kCallKept)));
    EXPECT_EQ(number("SELECT count(*) FROM repeatable_calls"), 1);
    now_ += 2;
    EXPECT_EQ(begin(call(ada_, 1, 2)).state, CallState::begun);
    now_ += kCallKept + 1;
    EXPECT_FALSE(good(delete_calls_before(*db_, now_ - kCallKept)));
    EXPECT_EQ(number("SELECT count(*) FROM repeatable_calls"), 0);
}

TEST_F(CallsTest, AreBoundedForEachPerson) {
    good(db_->run("BEGIN"));
    for (std::int64_t i = 0; i < kCallsPerUserMax; ++i) {
        NewCall one = call(ada_, 0);
        one.scope[0] = static_cast<std::uint8_t>(i & 0xFF);
        one.scope[1] = static_cast<std::uint8_t>(i >> 8);
        const Call begun = begin(one);
        if (i == 5) {
            finish(begun.no, "answer");
        }
    }
    EXPECT_EQ(begin(call(ada_, 200)).state, CallState::begun) << "the oldest finished one makes room";
    EXPECT_EQ(number("SELECT count(*) FROM repeatable_calls"), kCallsPerUserMax);
    EXPECT_EQ(code_of(begin_call(*db_, call(ada_, 201), now_)), "too_many_idempotent_requests");
    EXPECT_EQ(begin(call(bob_, 201)).state, CallState::begun);
    good(db_->run("COMMIT"));
}

TEST_F(CallsTest, KeepABoundedAmountOfAnswers) {
    const std::string answer(kCallAnswerBytesMax, 'x');
    for (std::uint8_t i = 0; i < 20; ++i) {
        finish(begin(call(ada_, i)).no, answer);
    }
    EXPECT_LE(number("SELECT sum(answer_bytes) FROM repeatable_calls"), kCallAnswersBytesMax);
    EXPECT_EQ(number("SELECT sum(answer_bytes) FROM repeatable_calls"), number("SELECT sum(length(answer)) FROM repeatable_calls"));
    const Call oldest = begin(call(ada_, 0));
    EXPECT_EQ(oldest.state, CallState::finished) << "it is not carried out again";
    EXPECT_EQ(oldest.status, 0U);
    EXPECT_EQ(begin(call(ada_, 19)).status, 200U);
}

TEST_F(CallsTest, AndIdentitiesGoWithTheirPerson) {
    const Identity identity{"https://id.example.org", "subject"};
    const User eve = good(create_user_with_identity(*db_, new_user("eve@example.org"), identity));
    EXPECT_EQ(good(find_user_by_identity(*db_, identity)).no, eve.no);
    finish(begin(call(eve.no, 1)).no, "words");
    good(delete_user(*db_, eve.id));
    while (good(wipe_users_step(*db_))) {
    }
    EXPECT_EQ(number("SELECT count(*) FROM repeatable_calls"), 0);
    EXPECT_EQ(number("SELECT count(*) FROM identities"), 0);
}

TEST_F(CallsTest, AnIdentityIsOnePersonsAndAPersonHasOneOfEachIssuer) {
    good(link_identity(*db_, ada_, {"https://a.example", "1"}));
    good(link_identity(*db_, ada_, {"https://a.example", "1"}));
    EXPECT_EQ(code_of(link_identity(*db_, bob_, {"https://a.example", "1"})), "identity_taken");
    EXPECT_EQ(code_of(link_identity(*db_, ada_, {"https://a.example", "2"})), "identity_taken");
    good(link_identity(*db_, ada_, {"https://b.example", "1"}));
    EXPECT_EQ(code_of(find_user_by_identity(*db_, {"https://c.example", "1"})), "user_not_found");
}

}  // namespace
}  // namespace confab::store::sqlite
