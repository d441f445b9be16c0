// The audit log is only added to; what is too old, or too much, goes.
#include "store/sqlite/audit.hpp"

#include "store_fixture.hpp"

namespace confab::store {
namespace {

class AuditTest : public StoreTest {
protected:
    void add(const std::string& kind, UnixSeconds at = base::unix_now(), UserNo actor = UserNo(0)) {
        AuditEntry entry;
        entry.at = at;
        entry.kind = kind;
        entry.actor_no = actor;
        good(run_task(store_->add_audit(entry)));
    }

    std::vector<AuditEntry> rows(AuditFilter filter = {}) {
        return good(run_task(store_->list_audit(std::move(filter), 100))).rows;
    }

    // What the database says to a statement.
    std::string refusal_of(const std::string& statement) {
        meter::StoreCounters counters;
        auto db = good(sqlite::Connection::open(path(), sqlite::Access::read_write, counters));
        char* message = nullptr;
        sqlite3_exec(db->handle(), statement.c_str(), nullptr, nullptr, &message);
        const std::string text = message == nullptr ? "" : message;
        sqlite3_free(message);
        return text;
    }

    UserNo ada_ = make_user("ada@example.org");
};

TEST_F(AuditTest, NamesWhoItWasAsTheyWereCalledThen) {
    add("sign_in", base::unix_now(), ada_);
    const User ada = good(run_task(store_->find_user(ada_)));
    good(run_task(store_->delete_user(ada.id)));
    add("sign_out");
    const auto all = rows();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].email, "");
    EXPECT_EQ(all[1].email, "ada@example.org");
    EXPECT_EQ(all[1].actor, ada.id.str());
    AuditFilter filter;
    filter.actor = ada.id.str();
    EXPECT_EQ(rows(filter).size(), 1U);
}

TEST_F(AuditTest, RefusesChangesAndRemoval) {
    add("sign_in");
    add("sign_out");
    const std::string refusal = "the audit log is only added to";
    EXPECT_EQ(refusal_of("UPDATE audit_log SET kind = 'x'"), refusal);
    EXPECT_EQ(refusal_of("DELETE FROM audit_log WHERE entry = 1"), refusal);
    EXPECT_EQ(
        refusal_of("INSERT OR REPLACE INTO audit_log SELECT 1, at, 'x', outcome, 0, '', '', '', '', '' FROM audit_log"),
        refusal
    );
    EXPECT_EQ(rows().size(), 2U);
}

TEST_F(AuditTest, LetsGoWhatIsOlderThanAYear) {
    const UnixSeconds now = base::unix_now();
    add("old", now - kAuditKept - 10);
    add("kept", now - kAuditKept + 1'000);
    good(run_task(store_->sweep_audit(now)));
    const auto left = rows();
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].kind, "kept");
}

TEST_F(AuditTest, LetsGoWhatIsBeyondTheNewestMillion) {
    add("first");
    EXPECT_EQ(
        refusal_of("INSERT INTO audit_log SELECT 1000000, at, 'middle', outcome, 0, '', '', '', '', '' FROM audit_log"), ""
    );
    good(run_task(store_->sweep_audit(base::unix_now())));
    EXPECT_EQ(rows().size(), 2U) << "entry 1 is still among the newest million";
    add("newest");
    good(run_task(store_->sweep_audit(base::unix_now())));
    const auto left = rows();
    ASSERT_EQ(left.size(), 2U);
    EXPECT_EQ(left[1].kind, "middle");
}

}  // namespace
}  // namespace confab::store
