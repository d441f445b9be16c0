#include "store/sqlite/migrations.hpp"

#include <gtest/gtest.h>

#include "store_fixture.hpp"

namespace confab::store::sqlite {
namespace {

constexpr Migration kFirst{1, "0001_first", "CREATE TABLE a (x);"};
constexpr Migration kSecond{2, "0002_second", "CREATE TABLE b (x); INSERT INTO b VALUES (1);"};

class MigrationsTest : public testing::Test {
protected:
    Status apply(std::vector<Migration> migrations) { return migrate(*db_, migrations); }

    std::int64_t number(Sql sql) {
        auto row = db_->use(sql);
        EXPECT_TRUE(good(row.step()));
        return row.integer(0);
    }

    TempDirectory directory_;
    meter::StoreCounters counters_;
    std::unique_ptr<Connection> db_ = good(Connection::open(directory_.file("m.db"), Access::read_write, counters_));
};

TEST_F(MigrationsTest, AreAppliedOnceInOrder) {
    EXPECT_TRUE(apply({kFirst}));
    EXPECT_TRUE(apply({kFirst, kSecond}));
    EXPECT_TRUE(apply({kFirst, kSecond}));
    EXPECT_EQ(number("SELECT count(*) FROM schema_migrations"), 2);
    EXPECT_EQ(number("SELECT count(*) FROM b"), 1);
}

TEST_F(MigrationsTest, AChangedOneIsRefused) {
    EXPECT_TRUE(apply({kFirst}));
    Migration changed = kFirst;
    changed.sql = "CREATE TABLE a (y);";
    const Status refused = apply({changed, kSecond});
    EXPECT_EQ(code_of(refused), "schema_mismatch");
    EXPECT_NE(refused.error().message.find("0001_first"), std::string::npos);
    EXPECT_EQ(number("SELECT count(*) FROM schema_migrations"), 1);
}

TEST_F(MigrationsTest, ADatabaseOfANewerVersionIsRefused) {
    EXPECT_TRUE(apply({kFirst, kSecond}));
    const Status refused = apply({kFirst});
    EXPECT_EQ(code_of(refused), "schema_mismatch");
    EXPECT_NE(refused.error().message.find("newer"), std::string::npos);
}

TEST_F(MigrationsTest, AFailingOneLeavesNothing) {
    const Migration broken{2, "0002_broken", "CREATE TABLE c (x); INSERT INTO nowhere VALUES (1);"};
    EXPECT_FALSE(apply({kFirst, broken}));
    EXPECT_FALSE(db_->in_transaction());
    EXPECT_EQ(number("SELECT count(*) FROM schema_migrations"), 1);
    EXPECT_EQ(number("SELECT count(*) FROM sqlite_schema WHERE name = 'c'"), 0);
    EXPECT_TRUE(apply({kFirst, kSecond}));
}

TEST_F(MigrationsTest, TheEmbeddedOnesAreNumberedWithoutGaps) {
    std::int64_t version = 0;
    for (const Migration& migration : embedded_migrations()) {
        EXPECT_EQ(migration.version, ++version);
        EXPECT_EQ(std::stoll(migration.name), version);
    }
    EXPECT_GE(version, 1);
    EXPECT_TRUE(migrate(*db_, embedded_migrations()));
    EXPECT_TRUE(migrate(*db_, embedded_migrations()));
}

}  // namespace
}  // namespace confab::store::sqlite
