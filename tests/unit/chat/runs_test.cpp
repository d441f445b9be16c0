#include "chat/runs.hpp"

#include "llm/demo.hpp"
#include "store/blob_disk.hpp"
#include "store/blobs.hpp"
#include "unit/store/store_fixture.hpp"

namespace confab::chat {
namespace {

using net::Task;
using store::good;
using store::run_task;

// A store whose disk takes its time to append.
class SlowStore final : public store::RunStore {
public:
    explicit SlowStore(store::RunStore& store) : store_(store) {}

    Task<base::Result<store::BegunRun>> begin_run(store::NewRun run) override {
        ++beginning;
        for (int i = 0; i < begin_sleeps; ++i) {
            co_await net::sleep_for(std::chrono::milliseconds(100));
        }
        if (full) {
            co_return base::fail(base::Errc::storage_full, "The disk is full.", "storage_full");
        }
        co_return co_await store_.begin_run(std::move(run));
    }

    Task<base::Status> append_run_chunks(std::vector<store::RunChunk> chunks) override {
        ++appending;
        for (int i = 0; i < sleeps; ++i) {
            co_await net::sleep_for(std::chrono::milliseconds(100));
        }
        const auto done = co_await store_.append_run_chunks(std::move(chunks));
        ++appended;
        co_return done;
    }

    Task<base::Status> finish_run(store::FinishRun finish) override {
        if (full) {
            ++refused;
            co_return base::fail(base::Errc::storage_full, "The disk is full.", "storage_full");
        }
        co_return co_await store_.finish_run(std::move(finish));
    }

    Task<base::Result<store::Run>> find_run(store::UserNo user, store::ResponseId id) override {
        return store_.find_run(user, id);
    }

    Task<base::Status> delete_run(store::UserNo user, store::ResponseId id) override {
        return store_.delete_run(user, id);
    }

    Task<base::Result<std::vector<store::Item>>> list_prompt_items(
        store::ConversationNo conversation,
        store::BranchNo branch,
        store::Position position,
        store::Position head
    ) override {
        return store_.list_prompt_items(conversation, branch, position, head);
    }

    Task<base::Result<store::Page<store::Item>>> list_input_items(
        store::UserNo user,
        store::ResponseId id,
        store::PageRequest<store::ItemId> request
    ) override {
        return store_.list_input_items(user, id, request);
    }

    Task<base::Result<std::vector<store::RunChunk>>> list_run_chunks(store::RunNo run, std::int64_t seq) override {
        return store_.list_run_chunks(run, seq);
    }

    Task<base::Result<std::vector<std::pair<store::Run, std::vector<store::RunChunk>>>>> list_unfinished_runs(
        std::size_t limit
    ) override {
        return store_.list_unfinished_runs(limit);
    }

    Task<base::Status> delete_chunks_of_runs_finished_before(store::UnixSeconds time) override {
        return store_.delete_chunks_of_runs_finished_before(time);
    }

    int sleeps = 0;        // of 100 ms, before each append
    int begin_sleeps = 0;  // the same before each beginning
    bool full = false;     // neither beginnings nor ends can be committed
    int beginning = 0;
    int refused = 0;
    int appending = 0;
    int appended = 0;

private:
    store::RunStore& store_;
};

// A shard with a run service, and the demonstration as its only model.
class RunsOnASlowDisk : public store::StoreTest {
public:  // the tests' coroutines are not members
    using StoreTest::store_;

    RunRequest question() {
        RunRequest request;
        request.user = ada_;
        request.input = {store::user_item("question")};
        request.model = llm::kDemoModel;
        request.echo = "{}";
        request.background = true;
        return request;
    }

    void run(Task<void> task) {
        std::exception_ptr failure;
        auto all = [](RunsOnASlowDisk& self, Task<void> body) -> Task<void> {
            co_await std::move(body);
            co_await self.runs_.interrupt_all();
            co_await self.upstreams_.close();
        };
        net::asio::co_spawn(shard_.executor(), all(*this, std::move(task)), [&](std::exception_ptr error) {
            failure = error;
            shard_.stop();
        });
        shard_.run();
        store_->stop();  // as the program does: its threads may still be letting go of this loop
        if (failure) {
            std::rethrow_exception(failure);
        }
    }

    store::UserNo ada_ = make_user("ada@example.org");
    SlowStore slow_{*store_};
    net::Shard shard_{0};
    net::HttpClient client_{shard_};
    llm::Upstreams upstreams_{shard_.executor(), client_};
    meter::ByteBudget budget_{64 * 1024 * 1024};
    meter::RunCounters run_counters_;
    store::BlobDisk blobs_{store::blob_dir_beside(path())};
    RunService runs_{{shard_, slow_, upstreams_, client_, budget_, run_counters_, 1, *store_, blobs_}};
};

TEST_F(RunsOnASlowDisk, ShowsNothingNewWhileOldEventsWaitToBecomeDurable) {
    auto body = [](RunsOnASlowDisk& self) -> Task<void> {
        self.slow_.sleeps = 25;
        auto run = co_await self.runs_.start(self.question());
        const RunPtr live = good(std::move(run));
        while (self.slow_.appending == 0) {
            co_await net::sleep_for(std::chrono::milliseconds(10));
        }
        co_await net::sleep_for(kShownUnsavedMax);
        const Sequence held = live->visible();
        while (self.slow_.appended == 0) {
            EXPECT_EQ(live->visible(), held) << "nothing is durable yet";
            co_await net::sleep_for(std::chrono::milliseconds(50));
        }
        self.slow_.sleeps = 0;
        std::string seen;
        Sequence next = 0;
        for (bool finished = false; !finished;) {
            const auto batch = co_await live->next(next, net::Deadline::never());
            next = batch.next;
            finished = batch.finished;
        }
        EXPECT_GT(next, held);
        const auto stored = co_await self.store_->find_run(self.ada_, live->facts().id);
        EXPECT_EQ(store::texts_of(good(stored).output), store::Texts{std::string(llm::demo_text())});
    };
    run(body(*this));
}

TEST_F(RunsOnASlowDisk, ARunThatIsNotStoredWaitsForNoDisk) {
    auto body = [](RunsOnASlowDisk& self) -> Task<void> {
        self.slow_.sleeps = 1'000;
        RunRequest request = self.question();
        request.background = false;
        request.stored = false;
        auto run = co_await self.runs_.start(std::move(request));
        const RunPtr live = good(std::move(run));
        co_await live->wait_until_finished();
        EXPECT_EQ(live->end().output.at(0).parts.at(0).text, std::string(llm::demo_text()));
        EXPECT_EQ(self.slow_.appending, 0);
    };
    run(body(*this));
}

TEST_F(RunsOnASlowDisk, StopsWhileItsEventsAreHeldBack) {
    auto body = [](RunsOnASlowDisk& self) -> Task<void> {
        self.slow_.sleeps = 10;
        auto run = co_await self.runs_.start(self.question());
        const RunPtr live = good(std::move(run));
        while (self.slow_.appending == 0) {
            co_await net::sleep_for(std::chrono::milliseconds(10));
        }
        live->cancel();
        co_await live->wait_until_finished();
        EXPECT_EQ(live->end().status, store::RunStatus::cancelled);
        const auto stored = co_await self.store_->find_run(self.ada_, live->facts().id);
        EXPECT_EQ(good(stored).output.at(0).body, live->end().output.at(0).parts.at(0).text);
    };
    run(body(*this));
}

TEST_F(RunsOnASlowDisk, AnEndThatCannotBeCommittedIsNotShownAndHoldsNobodyUp) {
    auto body = [](RunsOnASlowDisk& self) -> Task<void> {
        auto run = co_await self.runs_.start(self.question());
        const RunPtr live = good(std::move(run));
        self.slow_.full = true;
        while (live->visible() < 10) {
            co_await net::sleep_for(std::chrono::milliseconds(10));
        }
        live->cancel();
        while (self.slow_.refused == 0) {
            co_await net::sleep_for(std::chrono::milliseconds(10));
        }
        co_await live->wait_until_finished(net::Deadline::after(std::chrono::milliseconds(300)));
        EXPECT_FALSE(live->finished());
        const auto batch = co_await live->next(0, net::Deadline::never());
        EXPECT_EQ(batch.bytes.find("output_text.done"), std::string::npos);
        EXPECT_FALSE(batch.finished);
        self.slow_.full = false;
        co_await live->wait_until_finished();
        EXPECT_EQ(live->end().status, store::RunStatus::cancelled);
    };
    run(body(*this));
}

TEST_F(RunsOnASlowDisk, AsksTheModelWhileTheQuestionIsBeingCommitted) {
    auto body = [](RunsOnASlowDisk& self) -> Task<void> {
        self.slow_.begin_sleeps = 10;
        const auto begun = net::Deadline::Clock::now();
        auto run = co_await self.runs_.start(self.question());
        EXPECT_GE(net::Deadline::Clock::now() - begun, std::chrono::milliseconds(900)) << "told before the commit";
        const RunPtr live = good(std::move(run));
        // The run is as old as the wait for the commit.
        const auto timing = live->timing();
        EXPECT_TRUE(timing && timing->duration_ms >= 900);
        const auto batch = co_await live->next(0, net::Deadline::never());
        EXPECT_NE(batch.bytes.find("output_text.delta"), std::string::npos);
        const auto found = co_await self.store_->find_run(self.ada_, live->facts().id);
        EXPECT_EQ(good(found).created_at, live->facts().created_at);
        co_await live->wait_until_finished();
        const auto stored = co_await self.store_->find_run(self.ada_, live->facts().id);
        EXPECT_EQ(store::texts_of(good(stored).output), store::Texts{std::string(llm::demo_text())});
    };
    run(body(*this));
}

TEST_F(RunsOnASlowDisk, BreaksOffTheAnswerToAQuestionThatCannotBeCommitted) {
    auto body = [](RunsOnASlowDisk& self) -> Task<void> {
        self.slow_.begin_sleeps = 5;
        self.slow_.full = true;
        const auto run = co_await self.runs_.start(self.question());
        EXPECT_FALSE(run);
        EXPECT_EQ(run.error().errc, base::Errc::storage_full);
        EXPECT_EQ(self.runs_.size(), 0U);
        self.slow_.full = false;
        const auto begun = net::Deadline::Clock::now();
        co_await self.runs_.interrupt_all();
        EXPECT_LT(net::Deadline::Clock::now() - begun, std::chrono::seconds(1)) << "it goes on although nobody sees it";
    };
    run(body(*this));
}

// What the model saw depends on what is stored, so the store comes first.
TEST_F(RunsOnASlowDisk, AsksWithAHistoryOnlyAfterTheCommit) {
    auto body = [](RunsOnASlowDisk& self) -> Task<void> {
        auto first = co_await self.runs_.start(self.question());
        const RunPtr answered = good(std::move(first));
        co_await answered->wait_until_finished();
        self.slow_.begin_sleeps = 5;
        RunRequest request = self.question();
        request.target.previous_response = answered->facts().id;
        auto second = co_await self.runs_.start(std::move(request));
        const RunPtr live = good(std::move(second));
        const auto timing = live->timing();
        EXPECT_TRUE(!timing || timing->duration_ms < 400) << "the run was made before the commit";
        live->cancel();
        co_await live->wait_until_finished();
    };
    run(body(*this));
}

}  // namespace
}  // namespace confab::chat
