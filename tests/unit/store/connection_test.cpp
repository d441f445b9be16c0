#include "store/sqlite/connection.hpp"

#include <gtest/gtest.h>

#include "store_fixture.hpp"

namespace confab::store::sqlite {
namespace {

class ConnectionTest : public testing::Test {
protected:
    std::unique_ptr<Connection> open(Access access) { return good(Connection::open(path_, access, counters_)); }

    static std::string pragma(Connection& db, const std::string& name) {
        sqlite3_stmt* statement = nullptr;
        EXPECT_EQ(sqlite3_prepare_v2(db.handle(), ("PRAGMA " + name).c_str(), -1, &statement, nullptr), SQLITE_OK);
        EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
        std::string value = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
        sqlite3_finalize(statement);
        return value;
    }

    TempDirectory directory_;
    std::string path_ = directory_.file("connection.db");
    meter::StoreCounters counters_;
};

TEST_F(ConnectionTest, IsSetUpForDurabilityAndLittleMemory) {
    const auto writer = open(Access::read_write);
    EXPECT_EQ(pragma(*writer, "journal_mode"), "wal");
    EXPECT_EQ(pragma(*writer, "synchronous"), "2");
    EXPECT_EQ(pragma(*writer, "wal_autocheckpoint"), "0");
    good(writer->run_script("CREATE TABLE t (a)"));
    const auto reader = open(Access::read_only);
    EXPECT_EQ(pragma(*writer, "cache_size"), "-3000");
    EXPECT_EQ(pragma(*reader, "cache_size"), "-1500");
    for (const auto& db : {writer.get(), reader.get()}) {
        EXPECT_EQ(pragma(*db, "mmap_size"), "0");
        EXPECT_EQ(pragma(*db, "temp_store"), "1");
        EXPECT_EQ(pragma(*db, "trusted_schema"), "0");
        EXPECT_EQ(pragma(*db, "foreign_keys"), "1");
        EXPECT_EQ(pragma(*db, "busy_timeout"), "2000");
        EXPECT_EQ(pragma(*db, "secure_delete"), "1");
    }
}

TEST_F(ConnectionTest, ReadersCannotWrite) {
    const auto writer = open(Access::read_write);
    good(writer->run_script("CREATE TABLE t (a)"));
    const auto reader = open(Access::read_only);
    EXPECT_EQ(errc_of(reader->run("INSERT INTO t VALUES (1)")), base::Errc::internal);
    EXPECT_EQ(errc_of(reader->run("CREATE TABLE u (a)")), base::Errc::internal);
    EXPECT_FALSE(good(reader->use("SELECT * FROM t").step()));
}

TEST_F(ConnectionTest, AStatementIsPreparedOnceAndReused) {
    {
        const auto db = open(Access::read_write);
        good(db->run_script("CREATE TABLE t (a)"));
        for (int i = 0; i < 10; ++i) {
            good(db->run("INSERT INTO t VALUES (?1)", i));
        }
        EXPECT_EQ(counters_.statements_prepared.value(), 1U);
        EXPECT_EQ(counters_.statements_reused.value(), 9U);
        EXPECT_EQ(counters_.statements_live.value(), 1);
        EXPECT_EQ(counters_.connections_live.value(), 1);
    }
    EXPECT_EQ(counters_.statements_live.value(), 0);
    EXPECT_EQ(counters_.connections_live.value(), 0);
    EXPECT_EQ(counters_.connections_opened.value(), 1U);
}

TEST_F(ConnectionTest, AStatementIsGivenBackWithoutItsBindings) {
    const auto db = open(Access::read_write);
    constexpr Sql kLook{"SELECT ?1"};
    for (const bool bound : {true, false}) {
        Statement look = bound ? db->use(kLook, "secret") : db->use(kLook);
        ASSERT_TRUE(good(look.step()));
        EXPECT_EQ(look.is_null(0), !bound);
    }
}

TEST_F(ConnectionTest, ValuesComeBackAsTheyWere) {
    const auto db = open(Access::read_write);
    const ItemId id = ItemId::make();
    const Sha256 hash{1, 2, 3};
    const std::string text("a\0b", 3);
    auto row = db->use(
        "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7",
        id,
        hash,
        text,
        std::optional<std::int64_t>(),
        Role::admin,
        std::string_view(),
        Borrowed{text}
    );
    ASSERT_TRUE(good(row.step()));
    EXPECT_EQ(row.get<ItemId>(0), id);
    EXPECT_EQ(row.get<Sha256>(1), hash);
    EXPECT_EQ(row.get<std::string>(2), text);
    EXPECT_EQ(row.get<std::optional<std::int64_t>>(3), std::nullopt);
    EXPECT_EQ(row.get<Role>(4), Role::admin);
    EXPECT_FALSE(row.is_null(5)) << "an empty text is not NULL";
    EXPECT_EQ(row.get<std::string>(6), text);
}

TEST_F(ConnectionTest, AReadThatTakesTooLongIsInterrupted) {
    const auto db = open(Access::read_write);
    const auto count_forever = [&] {
        return db->run("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
    };
    db->set_deadline(std::chrono::steady_clock::now() + std::chrono::milliseconds(50));
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(errc_of(count_forever()), base::Errc::unavailable);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
    EXPECT_EQ(counters_.read_timeouts.value(), 1U);
    db->set_deadline(std::nullopt);
    good(db->run("SELECT 1"));
}

TEST_F(ConnectionTest, AMistakeInSqlIsInternalAndSaysNothingOfIt) {
    const auto db = open(Access::read_write);
    const Status failed = db->run("SELECT secret_column FROM nowhere", 1);
    EXPECT_EQ(errc_of(failed), base::Errc::internal);
    EXPECT_EQ(failed.error().message.find("secret_column"), std::string::npos);
}

TEST_F(ConnectionTest, AFileThatIsNoDatabaseIsRefused) {
    path_ = directory_.file("nowhere/x.db");
    EXPECT_FALSE(Connection::open(path_, Access::read_write, counters_));
    EXPECT_EQ(counters_.connections_live.value(), 0);
}

}  // namespace
}  // namespace confab::store::sqlite
