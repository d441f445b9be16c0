#include "store/sqlite/writer.hpp"

#include <csignal>
#include <filesystem>
#include <latch>
#include <thread>

#include "base/log.hpp"
#include "failing_vfs.hpp"
#include "store_fixture.hpp"

namespace confab::store::sqlite {
namespace {

class WriterTest : public testing::Test {
protected:
    WriterTest() { start(); }

    void start() {
        auto db = good(Connection::open(path_, Access::read_write, counters_));
        good(db->run_script("CREATE TABLE IF NOT EXISTS notes (note INTEGER PRIMARY KEY, text BLOB NOT NULL) STRICT"));
        writer_ =
            std::make_unique<Writer>(std::move(db), path_, counters_, [this](Connection&) { return housekeeping_(); });
    }

    // Restarts the writer: what was not on disk is gone.
    void restart() {
        writer_.reset();
        start();
    }

    net::Task<Status> insert(int note, std::size_t bytes = 10) {
        auto work = [note, bytes](Connection& db) {
            return db.run("INSERT INTO notes (note, text) VALUES (?1, zeroblob(?2))", note, bytes);
        };
        return writer_->run(std::move(work));
    }

    // Runs them as one group: the thread is kept busy until all of them are queued.
    std::vector<Status> run_as_group(std::vector<net::Task<Status>> tasks) {
        std::latch busy(1);
        std::latch go_on(1);
        auto hold = [&](Connection&) {
            busy.count_down();
            go_on.wait();
            return Status();
        };
        std::thread holder([&] { good(run_task(writer_->run(hold))); });
        busy.wait();
        net::asio::io_context context;
        std::vector<Status> results(tasks.size());
        for (std::size_t i = 0; i < tasks.size(); ++i) {
            net::asio::co_spawn(context, std::move(tasks[i]), [&, i](std::exception_ptr, Status status) {
                results[i] = status;
            });
        }
        context.poll();
        go_on.count_down();
        context.run();
        holder.join();
        return results;
    }

    std::int64_t count() {
        auto reader = good(Connection::open(path_, Access::read_only, counters_));
        auto counted = reader->use("SELECT count(*) FROM notes");
        EXPECT_TRUE(good(counted.step()));
        return counted.integer(0);
    }

    std::uintmax_t log_bytes() const { return std::filesystem::file_size(path_ + "-wal"); }

    TempDirectory directory_;
    std::string path_ = directory_.file("writer.db");
    meter::StoreCounters counters_;
    std::function<Result<Writer::Housework>()> housekeeping_ = [] { return Writer::Housework::none; };
    std::unique_ptr<Writer> writer_;
};

TEST_F(WriterTest, WhatIsAcknowledgedIsThereAfterARestart) {
    for (int note = 0; note < 20; ++note) {
        good(run_task(insert(note)));
        EXPECT_EQ(count(), note + 1) << "committed before the answer";
    }
    restart();
    EXPECT_EQ(count(), 20);
}

TEST_F(WriterTest, WhatGathersIsCommittedTogether) {
    std::vector<net::Task<Status>> tasks;
    for (int note = 0; note < 150; ++note) {
        tasks.push_back(insert(note));
    }
    for (const Status& status : run_as_group(std::move(tasks))) {
        EXPECT_TRUE(status);
    }
    EXPECT_EQ(counters_.operations.value(), 151U);
    EXPECT_EQ(counters_.commits.value(), 2U) << "the one that held the thread, and the group";
    EXPECT_EQ(counters_.writer_queue_depth.value(), 0);
    EXPECT_EQ(count(), 150);
}

TEST_F(WriterTest, AFailingOperationIsUndoneAloneAndWhole) {
    std::vector<net::Task<Status>> tasks;
    tasks.push_back(insert(1));
    auto half_done = [](Connection& db) -> Status {
        TRY_VOID(db.run("INSERT INTO notes (note, text) VALUES (100, x'')"));
        return base::fail(base::Errc::precondition_failed, "No.");
    };
    tasks.push_back(writer_->run(std::move(half_done)));
    tasks.push_back(insert(1));
    tasks.push_back(insert(2));
    const auto results = run_as_group(std::move(tasks));
    EXPECT_TRUE(results[0]);
    EXPECT_EQ(errc_of(results[1]), base::Errc::precondition_failed);
    EXPECT_EQ(errc_of(results[2]), base::Errc::conflict) << "the same key twice";
    EXPECT_TRUE(results[3]);
    EXPECT_EQ(counters_.commits.value(), 2U) << "they shared a group";
    restart();
    EXPECT_EQ(count(), 2);
}

TEST_F(WriterTest, AFailingOperationWithoutCompanyLeavesNoTraceEither) {
    auto half_done = [](Connection& db) -> Status {
        TRY_VOID(db.run("INSERT INTO notes (note, text) VALUES (100, x'')"));
        return base::fail(base::Errc::precondition_failed, "No.");
    };
    EXPECT_EQ(errc_of(run_task(writer_->run(half_done))), base::Errc::precondition_failed);
    EXPECT_EQ(count(), 0);
    good(run_task(insert(100)));
    restart();
    EXPECT_EQ(count(), 1);
}

TEST_F(WriterTest, WhatMayWaitIsCommittedWithoutCompanyToo) {
    good(run_task(insert(1)));
    auto work = [](Connection& db) { return db.run("INSERT INTO notes (note, text) VALUES (2, x'')"); };
    good(run_task(writer_->run(std::move(work), Rush::may_wait)));
    EXPECT_EQ(count(), 2);
    EXPECT_EQ(counters_.commits.value(), 2U);
}

TEST_F(WriterTest, AFullDiskIsSaidAndLeftWhenThereIsSpaceAgain) {
    const auto set_page_limit = [this](int pages) {
        auto work = [pages](Connection& db) {
            return db.run_script("PRAGMA max_page_count = " + std::to_string(pages));
        };
        good(run_task(writer_->run(std::move(work))));
    };
    good(run_task(insert(1)));
    set_page_limit(20);
    std::vector<net::Task<Status>> tasks;
    tasks.push_back(insert(2));
    tasks.push_back(insert(3, 1'000'000));
    tasks.push_back(insert(4));
    const auto results = run_as_group(std::move(tasks));
    for (std::size_t i = 0; i < results.size(); ++i) {
        EXPECT_EQ(errc_of(results[i]), base::Errc::storage_full) << "operation " << i;
        EXPECT_EQ(code_of(results[i]), "storage_full");
    }
    EXPECT_EQ(count(), 1) << "reading goes on, and nothing was half saved";
    set_page_limit(10'000);
    EXPECT_TRUE(run_task(insert(2)));
    EXPECT_TRUE(run_task(insert(3, 1'000'000)));
    restart();
    EXPECT_EQ(count(), 3);
}

TEST_F(WriterTest, AFullQueueSaysSoAtOnce) {
    std::vector<net::Task<Status>> tasks;
    for (int note = 0; note < 5'000; ++note) {
        tasks.push_back(insert(note));
    }
    int refused = 0;
    int done = 0;
    for (const Status& status : run_as_group(std::move(tasks))) {
        ++(status ? done : refused);
        EXPECT_TRUE(status || status.error().errc == base::Errc::unavailable);
    }
    EXPECT_EQ(refused, 5'000 - 4'096);
    EXPECT_EQ(count(), done);
}

TEST_F(WriterTest, AnswersUnavailableAfterItWasStopped) {
    writer_->stop();
    EXPECT_EQ(errc_of(run_task(insert(1))), base::Errc::unavailable);
}

TEST_F(WriterTest, StoppingFinishesWhatIsQueuedAndEmptiesTheLog) {
    net::asio::io_context context;
    int answered = 0;
    for (int note = 0; note < 300; ++note) {
        net::asio::co_spawn(context, insert(note), [&](std::exception_ptr, Status status) {
            answered += status ? 1 : 0;
        });
    }
    context.poll();
    writer_->stop();
    context.run();
    EXPECT_EQ(answered, 300);
    EXPECT_FALSE(std::filesystem::exists(path_ + "-wal") && log_bytes() > 0);
    EXPECT_EQ(counters_.connections_live.value(), 0);
    EXPECT_EQ(counters_.statements_live.value(), 0);
}

TEST_F(WriterTest, TheLogIsMovedIntoTheDatabaseAsItGrows) {
    for (int note = 0; note < 60; ++note) {
        good(run_task(insert(note, 1'000'000)));
    }
    EXPECT_LT(log_bytes(), 24U * 1024 * 1024) << "60 MB were written through it";
}

TEST_F(WriterTest, AReaderHoldsTheLogOnlyAsLongAsItReads) {
    auto reader = good(Connection::open(path_, Access::read_only, counters_));
    good(reader->run("BEGIN"));
    good(reader->run("SELECT count(*) FROM notes"));
    for (int note = 0; note < 80; ++note) {
        good(run_task(insert(note, 1'000'000)));
    }
    EXPECT_GT(counters_.wal_bytes.value(), 64 * 1024 * 1024);
    good(reader->run("COMMIT"));
    for (int i = 0; i < 100 && log_bytes() > 0; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_EQ(log_bytes(), 0U) << "cut in an idle moment";
}

TEST_F(WriterTest, HousekeepingIsDoneInStepsAfterCommits) {
    std::atomic<int> steps = 0;
    housekeeping_ = [&]() -> Result<Writer::Housework> {
        return ++steps % 5 != 0 ? Writer::Housework::more : Writer::Housework::none;
    };
    restart();
    for (int i = 0; i < 100 && steps < 5; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(steps, 5) << "at start, for what a crash interrupted";
    good(run_task(insert(1)));
    for (int i = 0; i < 100 && steps < 10; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(steps, 10);
    writer_->stop();
}

// A failed fsync leaves open whether the commit is on disk: going on would answer some callers wrongly.
TEST(WriterDeathTest, AnIoErrorAtCommitEndsTheProcess) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto write_without_disk = [] {
        base::init_log("error");  // to standard error, where a death test looks
        FailingVfs vfs;
        TempDirectory directory;
        meter::StoreCounters counters;
        auto db = good(Connection::open(directory.file("x.db"), Access::read_write, counters));
        good(db->run_script("CREATE TABLE t (a)"));
        Writer writer(std::move(db), directory.file("x.db"), counters, [](Connection&) { return Writer::Housework::none; });
        auto insert = [](Connection& connection) { return connection.run("INSERT INTO t VALUES (1)"); };
        good(run_task(writer.run(insert)));
        FailingVfs::sync_fails = true;
        (void)run_task(writer.run(insert));
    };
    EXPECT_EXIT(write_without_disk(), testing::KilledBySignal(SIGABRT), "storage lost step=commit");
}

}  // namespace
}  // namespace confab::store::sqlite
