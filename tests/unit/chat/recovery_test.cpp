#include "chat/recovery.hpp"

#include "chat/output_writer.hpp"
#include "chat/run.hpp"
#include "unit/store/store_fixture.hpp"

namespace confab::chat {
namespace {

using store::good;
using store::run_task;
using store::user_item;

class RecoveryTest : public store::StoreTest {
protected:
    store::NewRun question() {
        store::NewRun run = new_run(ada_, {user_item("question")});
        run.target.conversation = conversation_;
        run.background = true;
        return run;
    }

    static EventLog log_with(const std::string& text) {
        EventLog log;
        append_opening_events(log, true);
        OutputWriter writer(log);
        for (const char c : text) {
            writer.text({&c, 1});
        }
        return log;
    }

    void append(store::RunNo run, const EventLog& log) {
        std::vector<store::RunChunk> chunks{{run, 0, std::string(log.records(0, log.size()))}};
        good(run_task(store_->append_run_chunks(std::move(chunks))));
    }

    std::size_t crash_and_recover() {
        reopen();
        return good(run_task(recover_runs(*store_)));
    }

    store::UserNo ada_ = make_user("ada@example.org");
    store::ConversationId conversation_ = make_conversation(ada_).id;
};

TEST_F(RecoveryTest, KeepsTheDurableTextAndNumbersTheEndBeyondWhatAnybodyCanHaveSeen) {
    const store::NewRun run = question();
    const auto no = good(run_task(store_->begin_run(run))).no;
    const EventLog log = log_with("half an ans");
    append(no, log);
    EXPECT_EQ(crash_and_recover(), 1U);

    const store::Run found = good(run_task(store_->find_run(ada_, run.id)));
    EXPECT_EQ(found.status, store::RunStatus::incomplete);
    EXPECT_EQ(found.incomplete_reason, "interrupted");
    EXPECT_EQ(store::texts_of(found.output), store::Texts{"half an ans"});
    for (const Sequence after : {Sequence(0), log.size() - 1, log.size() + kShownAheadMax - 1}) {
        const auto chunks = good(run_task(store_->list_run_chunks(no, after)));
        ASSERT_EQ(chunks.size(), 2U) << "after " << after;
        EXPECT_EQ(chunks[0].seq_first, 0);
        EXPECT_EQ(chunks[1].seq_first, log.size() + kShownAheadMax);
        EventLog durable;
        EventLog closing;
        good(durable.append_records(chunks[0].data));
        good(closing.append_records(chunks[1].data));
        EXPECT_FALSE(closes_after_crash(found, durable));
        EXPECT_TRUE(closes_after_crash(found, closing));
        EXPECT_EQ(closing.at(0).kind, EventKind::text_done);
    }
    EXPECT_EQ(crash_and_recover(), 0U);
}

TEST_F(RecoveryTest, ARunOfWhichNothingIsDurableHasItsOpeningAndItsEnd) {
    const store::NewRun run = question();
    const auto no = good(run_task(store_->begin_run(run))).no;
    EXPECT_EQ(crash_and_recover(), 1U);
    const auto chunks = good(run_task(store_->list_run_chunks(no, 0)));
    ASSERT_EQ(chunks.size(), 2U);
    EXPECT_EQ(chunks[0].seq_first, 0);
    EXPECT_GE(chunks[1].seq_first, kShownAheadMax);
    EXPECT_TRUE(good(run_task(store_->find_run(ada_, run.id))).output.empty());
    EXPECT_EQ(texts(ada_, conversation_), store::Texts{"question"});
}

TEST_F(RecoveryTest, AContinuedAnswerIsThereOnceWhateverWasDurable) {
    for (const bool answered : {false, true}) {
        const auto id = make_conversation(ada_, {user_item("q")}).id;
        const auto half = begin_in(ada_, id, {});
        store::NewItem partial = store::answer_item("old");
        partial.status = store::ItemStatus::incomplete;
        finish(half.no, {partial}, store::RunStatus::incomplete);
        store::NewRun run = new_run(ada_, {});
        run.target.conversation = id;
        run.continues = true;
        const auto begun = good(run_task(store_->begin_run(run)));
        if (answered) {
            append(begun.no, log_with("old and new"));
        }
        EXPECT_EQ(crash_and_recover(), 1U);
        EXPECT_EQ(texts(ada_, id), (store::Texts{"q", answered ? "old and new" : "old"}));
    }
}

}  // namespace
}  // namespace confab::chat
