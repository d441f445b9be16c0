// The ledger, its sums, and limits.
#include <sqlite3.h>

#include "store/sqlite/migrations.hpp"
#include "store_fixture.hpp"

namespace confab::store {
namespace {

constexpr UnixSeconds kNoon = 1'800'014'400;  // 2027-01-15 12:00:00 UTC
constexpr MonthNo kJanuary = 2027 * 12;

class UsageTest : public StoreTest {
protected:
    UsageEntry entry(UserNo user, const std::string& model, std::int64_t input, std::int64_t output) {
        UsageEntry made;
        made.at = kNoon;
        made.payer.user = user;
        made.model = model;
        made.upstream = "local";
        made.count.input_tokens = input;
        made.count.output_tokens = output;
        made.count.cost = input + output;
        return made;
    }

    void add(std::vector<UsageEntry> entries) { good(run_task(store_->add_usage(std::move(entries)))); }

    std::vector<UsageOfDay> days(std::optional<UserNo> user, DayNo first = 0, DayNo last = 1'000'000) {
        return good(run_task(store_->list_usage_days(user, first, last)));
    }

    std::vector<NamedUsageEntry> ledger(std::optional<UserNo> user) {
        return good(run_task(store_->list_ledger(user, {}, kNoon * 2, 1'000)));
    }

    KeyId make_key(UserNo user) {
        ApiKey key;
        key.id = KeyId::make();
        key.user = user;
        key.key_hash = Sha256{static_cast<std::uint8_t>(++keys_)};
        key.name = "key of " + std::to_string(keys_);
        good(run_task(store_->create_key(key)));
        return key.id;
    }

    UserId id_of(UserNo user) { return good(run_task(store_->find_user(user))).id; }

    LimitSubject everybody() { return {}; }

    LimitSubject of(UserNo user) { return {LimitScope::person, id_of(user), std::nullopt}; }

    void limit(const LimitSubject& subject, meter::LimitKind kind, std::optional<std::int64_t> value) {
        Limits limits = good(run_task(store_->find_limits(subject)));
        limits[static_cast<std::size_t>(kind)] = value;
        good(run_task(store_->put_limits(subject, limits)));
    }

    std::int64_t in_force(UserNo user, meter::LimitKind kind) {
        const auto found = good(run_task(store_->find_entitlement(user, std::nullopt, kJanuary)));
        return found.person[static_cast<std::size_t>(kind)];
    }

    UserNo ada_ = make_user("ada@example.org");
    UserNo bob_ = make_user("bob@example.org");
    int keys_ = 0;
};

TEST_F(UsageTest, MonthsAndDaysAreThoseOfUtc) {
    EXPECT_EQ(month_of(kNoon), kJanuary);
    EXPECT_EQ(month_of(0), 1970 * 12);
    EXPECT_EQ(month_of(1'709'251'199), 2024 * 12 + 1) << "2024-02-29 23:59:59";
    EXPECT_EQ(month_of(1'709'251'200), 2024 * 12 + 2);
    EXPECT_EQ(day_of(86'399), 0);
    EXPECT_EQ(day_of(86'400), 1);
}

TEST_F(UsageTest, SumsAreKeptByDayAndModelForEachAndForAll) {
    UsageEntry late = entry(ada_, "a", 1, 1);
    late.at = kNoon + kSecondsOfDay;
    add({entry(ada_, "a", 10, 20), entry(ada_, "a", 1, 2), entry(ada_, "b", 5, 5), entry(bob_, "a", 100, 200), late});
    const auto hers = days(ada_);
    ASSERT_EQ(hers.size(), 3U);
    EXPECT_EQ(hers[0].model, "a");
    EXPECT_EQ(hers[0].sum.requests, 2);
    EXPECT_EQ(hers[0].sum.input_tokens, 11);
    EXPECT_EQ(hers[0].sum.output_tokens, 22);
    EXPECT_EQ(hers[0].sum.cost, 33);
    EXPECT_EQ(hers[1].model, "b");
    EXPECT_EQ(hers[2].day, hers[0].day + 1);
    const auto all = days(std::nullopt);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].sum.requests, 3);
    EXPECT_EQ(all[0].sum.input_tokens, 111);
    EXPECT_EQ(days(ada_, day_of(kNoon) + 1).size(), 1U);
    EXPECT_EQ(ledger(ada_).size(), 4U);
    EXPECT_EQ(ledger(std::nullopt).size(), 5U);
    EXPECT_EQ(ledger(std::nullopt)[3].email, "bob@example.org");
}

TEST_F(UsageTest, AnAnswerThatTookNothingIsInTheLedgerOnly) {
    add({entry(ada_, "a", 0, 0)});
    EXPECT_EQ(ledger(ada_).size(), 1U);
    EXPECT_TRUE(days(ada_).empty());
}

TEST_F(UsageTest, NamesOfModelsDoNotGrowWithoutEnd) {
    std::vector<UsageEntry> many;
    for (std::size_t i = 0; i < kUsageModelsMax + 50; ++i) {
        many.push_back(entry(ada_, "m" + std::to_string(i), 1, 0));
    }
    add(many);
    add({entry(ada_, "m0", 1, 0)});
    const auto hers = days(ada_);
    EXPECT_EQ(hers.size(), kUsageModelsMax + 1);
    std::int64_t requests = 0;
    for (const UsageOfDay& day : hers) {
        requests += day.sum.requests;
        if (day.model == kOtherModels) {
            EXPECT_EQ(day.sum.requests, 50);
        }
    }
    EXPECT_EQ(requests, static_cast<std::int64_t>(kUsageModelsMax) + 51);
}

TEST_F(UsageTest, KeysHaveSumsOfTheirOwn) {
    const KeyId key = make_key(ada_);
    make_key(ada_);
    UsageEntry by_key = entry(ada_, "a", 10, 20);
    by_key.payer.key = key;
    add({by_key, entry(ada_, "a", 1, 1)});
    const auto keys = good(run_task(store_->list_usage_keys(ada_, kJanuary)));
    ASSERT_EQ(keys.size(), 1U);
    EXPECT_EQ(keys[0].id, key);
    EXPECT_EQ(keys[0].sum.tokens(), 30);
    EXPECT_TRUE(good(run_task(store_->list_usage_keys(bob_, kJanuary))).empty());
    const auto entitled = good(run_task(store_->find_entitlement(ada_, key, kJanuary)));
    EXPECT_EQ(entitled.person_used.tokens(), 32);
    EXPECT_EQ(entitled.key_used.tokens(), 30);
    EXPECT_EQ(good(run_task(store_->find_entitlement(ada_, key, kJanuary + 1))).person_used.requests, 0);
    EXPECT_EQ(ledger(ada_)[0].key_name, "key of 1");
    good(run_task(store_->delete_key(ada_, key)));
    EXPECT_EQ(ledger(ada_)[0].row.payer.key, key) << "the ledger is only appended to";
    EXPECT_EQ(ledger(ada_)[0].key_name, "");
}

TEST_F(UsageTest, PeopleComePageByPageAndWithoutNameWhenTheyAreGone) {
    User root = new_user("root@example.org");
    root.role = Role::admin;
    good(run_task(store_->create_user(root, IfFirst::no)));
    add({entry(ada_, "a", 1, 1), entry(bob_, "a", 2, 2)});
    good(run_task(store_->delete_user(id_of(bob_))));
    auto page = good(run_task(store_->list_usage_people(kJanuary, std::nullopt, 1)));
    ASSERT_EQ(page.rows.size(), 1U);
    EXPECT_TRUE(page.has_more);
    EXPECT_EQ(page.rows[0].email, "ada@example.org");
    page = good(run_task(store_->list_usage_people(kJanuary, page.rows[0].user, 1)));
    ASSERT_EQ(page.rows.size(), 1U);
    EXPECT_FALSE(page.has_more);
    EXPECT_EQ(page.rows[0].email, "");
    EXPECT_EQ(page.rows[0].sum.tokens(), 4);
    EXPECT_EQ(ledger(bob_)[0].email, "");
}

TEST_F(UsageTest, TheLedgerIsReadInOrderAndFromAPlace) {
    std::vector<UsageEntry> many;
    for (int i = 0; i < 10; ++i) {
        many.push_back(entry(ada_, "m" + std::to_string(i), 1, 1));
        many.back().at = kNoon + i / 3;
    }
    add(many);
    std::vector<std::string> models;
    LedgerPlace place;
    for (bool more = true; more;) {
        const auto rows = good(run_task(store_->list_ledger(ada_, place, kNoon + 3, 4)));
        for (const NamedUsageEntry& named : rows) {
            models.push_back(named.row.model);
            place = {named.row.at, named.row.entry};
        }
        more = rows.size() == 4;
    }
    EXPECT_EQ(models.size(), 9U) << "the last one is from kNoon + 3 on";
    EXPECT_EQ(models.front(), "m0");
    EXPECT_EQ(models.back(), "m8");
}

TEST_F(UsageTest, AStoredAnswerIsCountedInTheTransactionThatEndsIt) {
    const KeyId key = make_key(ada_);
    NewRun run = new_run(ada_, {user_item("question")});
    run.key = key;
    const BegunRun begun = good(run_task(store_->begin_run(std::move(run))));
    EXPECT_TRUE(ledger(ada_).empty());
    FinishRun finish;
    finish.run = begun.no;
    finish.upstream = "local";
    finish.taken = {7, 3, 5, 900, true};
    const std::uint64_t commits = counters_.commits.value();
    good(run_task(store_->finish_run(finish)));
    good(run_task(store_->finish_run(finish)));
    EXPECT_LE(counters_.commits.value(), commits + 2) << "one for each call, none for the ledger";
    const auto rows = ledger(ada_);
    ASSERT_EQ(rows.size(), 1U) << "twice is once";
    EXPECT_EQ(rows[0].row.run, begun.no);
    EXPECT_EQ(rows[0].row.payer.key, key);
    EXPECT_EQ(rows[0].row.count.cached_tokens, 3);
    EXPECT_EQ(rows[0].row.count.cost, 900);
    EXPECT_TRUE(rows[0].row.count.estimated);
    EXPECT_EQ(days(ada_)[0].sum.requests, 1);
}

// ---- limits ----

TEST_F(UsageTest, WhatIsSetForOneCountsBeforeWhatIsSetForAll) {
    using meter::LimitKind;
    EXPECT_EQ(in_force(ada_, LimitKind::tokens_per_minute), meter::kUnlimited);
    limit(everybody(), LimitKind::tokens_per_minute, 100);
    EXPECT_EQ(in_force(ada_, LimitKind::tokens_per_minute), 100);
    limit(of(ada_), LimitKind::tokens_per_minute, 5);
    limit(of(bob_), LimitKind::tokens_per_minute, meter::kUnlimited);
    EXPECT_EQ(in_force(ada_, LimitKind::tokens_per_minute), 5);
    EXPECT_EQ(in_force(bob_, LimitKind::tokens_per_minute), meter::kUnlimited);
    EXPECT_EQ(in_force(ada_, LimitKind::requests_per_minute), meter::kUnlimited);
    limit(of(ada_), LimitKind::tokens_per_minute, std::nullopt);
    EXPECT_EQ(in_force(ada_, LimitKind::tokens_per_minute), 100);
}

TEST_F(UsageTest, LimitsEndWithWhomTheyAreFor) {
    User root = new_user("root@example.org");
    root.role = Role::admin;
    good(run_task(store_->create_user(root, IfFirst::no)));
    const KeyId key = make_key(ada_);
    const LimitSubject of_key{LimitScope::key, std::nullopt, key};
    const LimitSubject of_bob = of(bob_);
    limit(of_key, meter::LimitKind::requests_per_minute, 1);
    limit(of_bob, meter::LimitKind::requests_per_minute, 1);
    EXPECT_EQ(good(run_task(store_->find_entitlement(ada_, key, kJanuary))).key[0], 1);
    good(run_task(store_->delete_key(ada_, key)));
    good(run_task(store_->delete_user(*of_bob.person)));
    EXPECT_EQ(errc_of(run_task(store_->find_limits(of_key))), base::Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->put_limits(of_bob, {}))), base::Errc::not_found);
    EXPECT_EQ(good(run_task(store_->find_entitlement(ada_, key, kJanuary))).key[0], meter::kUnlimited);
}

TEST_F(UsageTest, AnExpiredKeyIsNoKey) {
    ApiKey key;
    key.id = KeyId::make();
    key.user = ada_;
    key.key_hash = Sha256{77};
    key.models = R"(["a*"])";
    key.read_only = true;
    key.expires_at = base::unix_now() + 100;
    good(run_task(store_->create_key(key)));
    const auto found = good(run_task(store_->find_key(key.key_hash))).first;
    EXPECT_EQ(found.models, key.models);
    EXPECT_TRUE(found.read_only);
    EXPECT_EQ(found.expires_at, key.expires_at);
    key.id = KeyId::make();
    key.key_hash = Sha256{78};
    key.expires_at = base::unix_now();
    good(run_task(store_->create_key(key)));
    EXPECT_EQ(errc_of(run_task(store_->find_key(key.key_hash))), base::Errc::not_found);
    EXPECT_EQ(good(run_task(store_->list_keys(ada_))).size(), 2U);
}

// ---- migration 0014 ----

TEST_F(UsageTest, AnOldLedgerIsSummedUp) {
    const std::string old = directory_.file("old.db");
    {
        auto db = good(sqlite::Connection::open(old, sqlite::Access::read_write, counters_));
        auto migrations = std::vector(sqlite::embedded_migrations().begin(), sqlite::embedded_migrations().end());
        std::erase_if(migrations, [](const auto& migration) { return migration.version >= 14; });
        good(sqlite::migrate(*db, migrations));
        good(db->run_script(
            "INSERT INTO usage_ledger (at, user_no, run, model, upstream, input_tokens, output_tokens) VALUES "
            "(1800014400, 1, 1, 'a', 'x', 10, 20), (1800014401, 1, 2, 'a', 'x', 1, 2), (1800014402, 2, 3, 'b', 'x', 5, 5), "
            "(1800014403, 2, 4, 'b', 'x', 0, 0), (1802692800, 1, 5, 'a', 'x', 100, 0)"
        ));
    }
    store_ = good(SqliteStore::open({old, 1, counters_}));
    const auto hers = days(UserNo(1));
    ASSERT_EQ(hers.size(), 2U);
    EXPECT_EQ(hers[0].sum.requests, 2);
    EXPECT_EQ(hers[0].sum.tokens(), 33);
    EXPECT_EQ(days(std::nullopt).size(), 3U);
    EXPECT_EQ(good(run_task(store_->list_usage_people(kJanuary, std::nullopt, 10))).rows.size(), 2U);
    EXPECT_EQ(good(run_task(store_->list_usage_people(kJanuary + 1, std::nullopt, 10))).rows[0].sum.tokens(), 100);
}

}  // namespace
}  // namespace confab::store
