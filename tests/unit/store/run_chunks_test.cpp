#include "store/sqlite/run_chunks.hpp"

#include <random>

#include "store_fixture.hpp"

namespace confab::store {
namespace {

class RunChunksTest : public StoreTest {
protected:
    BegunRun begin() {
        const BegunRun begun = good(run_task(store_->begin_run(new_run(ada_, {user_item("x")}))));
        return begun;
    }

    void append(std::vector<RunChunk> chunks) { good(run_task(store_->append_run_chunks(std::move(chunks)))); }

    std::vector<RunChunk> list(RunNo run, std::int64_t seq = 0) {
        return good(run_task(store_->list_run_chunks(run, seq)));
    }

    std::int64_t rows_in_file() {
        meter::StoreCounters counters;
        auto db = good(sqlite::Connection::open(path(), sqlite::Access::read_only, counters));
        auto counted = db->use("SELECT count(*) FROM run_chunks");
        EXPECT_TRUE(good(counted.step()));
        return counted.integer(0);
    }

    UserNo ada_ = make_user("ada@example.org");
};

TEST_F(RunChunksTest, ComeBackInOrderFromAnyEvent) {
    const RunNo mine = begin().no;
    const RunNo other = begin().no;
    EXPECT_TRUE(list(mine).empty());
    for (int i = 0; i < 20; ++i) {
        append({{other, i * 3, "other"}, {mine, i * 10, "chunk " + std::to_string(i)}});
    }
    EXPECT_EQ(list(mine).size(), 20U);
    for (const std::int64_t seq : {0, 5, 9, 10, 11, 55, 190, 195, 9'999}) {
        const auto chunks = list(mine, seq);
        const std::int64_t first = std::min<std::int64_t>(seq / 10, 19);
        ASSERT_EQ(chunks.size(), static_cast<std::size_t>(20 - first)) << "from " << seq;
        EXPECT_EQ(chunks[0].seq_first, first * 10);
        EXPECT_EQ(chunks[0].data, "chunk " + std::to_string(first));
        EXPECT_EQ(chunks[0].run, mine);
    }
}

TEST_F(RunChunksTest, AreReadInBoundedParts) {
    const RunNo run = begin().no;
    for (int i = 0; i < 10; ++i) {
        append({{run, i, std::string(100'000, static_cast<char>('a' + i))}});
    }
    append({{run, 10, std::string(400'000, 'z')}});
    std::int64_t next = 0;
    for (const std::size_t expected : {2, 2, 2, 2, 2, 1}) {
        const auto chunks = list(run, next);
        ASSERT_EQ(chunks.size(), expected);
        EXPECT_EQ(chunks[0].seq_first, next);
        next = chunks.back().seq_first + 1;
    }
    EXPECT_EQ(list(run, 9).size(), 2U) << "the first may end before what was asked for, so there is always a second";
}

TEST_F(RunChunksTest, TheLastStretchComesWithTheEnd) {
    const RunNo run = begin().no;
    append({{run, 0, "first"}});
    FinishRun finish;
    finish.run = run;
    finish.chunks = {{run, 7, "last"}};
    good(run_task(store_->finish_run(finish)));
    const auto chunks = list(run);
    ASSERT_EQ(chunks.size(), 2U);
    EXPECT_EQ(chunks[1].data, "last");
    append({{run, 8, "too late"}});
    EXPECT_EQ(list(run).size(), 2U) << "a final run takes no more";
    append({{RunNo{4711}, 0, "of nobody"}});
    EXPECT_EQ(rows_in_file(), 2);
}

TEST_F(RunChunksTest, ExpireWithTheirRunsAndNotBefore) {
    const RunNo done = begin().no;
    const RunNo live = begin().no;
    const RunNo late = begin().no;
    append({{done, 0, "a"}, {live, 0, "b"}, {late, 0, "c"}, {done, 1, "d"}});
    finish(done, {});
    good(run_task(store_->delete_chunks_of_runs_finished_before(base::unix_now() - 10)));
    EXPECT_EQ(list(done).size(), 2U) << "it has just finished";
    good(run_task(store_->delete_chunks_of_runs_finished_before(base::unix_now() + 10)));
    EXPECT_TRUE(list(done).empty());
    EXPECT_EQ(list(live).size(), 1U);
    EXPECT_EQ(list(late).size(), 1U);
    finish(live, {});
    finish(late, {});
    good(run_task(store_->delete_chunks_of_runs_finished_before(base::unix_now() + 10)));
    EXPECT_EQ(rows_in_file(), 0);
    const RunNo next = begin().no;
    append({{next, 0, "new"}});
    EXPECT_EQ(list(next).size(), 1U);
    EXPECT_TRUE(list(done).empty()) << "numbers that are used again belong to the new run";
}

TEST_F(RunChunksTest, ManyExpireInSteps) {
    const RunNo run = begin().no;
    for (int i = 0; i < 50; ++i) {
        std::vector<RunChunk> chunks;
        for (int k = 0; k < 100; ++k) {
            chunks.push_back({run, i * 100 + k, "some data"});
        }
        append(std::move(chunks));
    }
    finish(run, {});
    good(run_task(store_->delete_chunks_of_runs_finished_before(base::unix_now() + 10)));
    EXPECT_EQ(rows_in_file(), 0);
}

TEST_F(RunChunksTest, OfManyRunsBesideEachOtherStayApart) {
    std::mt19937 random(5);
    std::vector<RunNo> runs;
    std::vector<Texts> model(20);
    for (int i = 0; i < 20; ++i) {
        runs.push_back(begin().no);
    }
    for (int round = 0; round < 50; ++round) {
        std::vector<RunChunk> chunks;
        for (std::size_t i = 0; i < runs.size(); ++i) {
            if (random() % 2 == 0) {
                const std::string data = std::to_string(random());
                chunks.push_back({runs[i], static_cast<std::int64_t>(model[i].size()), data});
                model[i].push_back(data);
            }
        }
        append(std::move(chunks));
    }
    for (std::size_t i = 0; i < runs.size(); ++i) {
        if (i % 2 == 0) {
            finish(runs[i], {});
        }
        const std::size_t from = random() % model[i].size();
        Texts seen;
        for (const RunChunk& chunk : list(runs[i], static_cast<std::int64_t>(from))) {
            seen.push_back(chunk.data);
        }
        EXPECT_EQ(seen, Texts(model[i].begin() + static_cast<std::ptrdiff_t>(from), model[i].end()));
    }
}

}  // namespace
}  // namespace confab::store
