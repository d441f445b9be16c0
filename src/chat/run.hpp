// Run: one answer being made. It belongs to `chat`, not to a connection: viewers come and go, only cancel() stops it.
//
// Lives on one shard. The model's pieces are appended to the log as they come; viewers read the log at their own pace
// by sequence number and are woken when it grows. Events become visible as they are appended, a bounded stretch ahead
// of what is durable (show_limit.hpp), except the last ones: that an answer is finished is only said once it is
// committed.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/event_json.hpp"
#include "chat/event_log.hpp"
#include "chat/output_writer.hpp"
#include "chat/show_limit.hpp"
#include "chat/turn_trace.hpp"
#include "llm/completion.hpp"
#include "meter/allowance.hpp"
#include "meter/byte_budget.hpp"
#include "net/deadline.hpp"
#include "net/wait_list.hpp"
#include "net/waker.hpp"
#include "store/usage_rows.hpp"

namespace confab::chat {

// A viewer on the run's own shard, to whom news can be told in the call that brings it.
class DirectViewer {
public:
    virtual ~DirectViewer() = default;
    // Takes the events from its position on, if it can at once.
    virtual void take_news() = 0;
    // The number of the first event that it has not taken.
    virtual Sequence position() const = 0;
    // It waits for its client, and has to be woken.
    virtual bool stuck() const = 0;
};

// One look at a run's log.
struct Batch {
    std::string bytes;       // rendered events
    Sequence next = 0;       // the sequence number after the last one rendered
    bool finished = false;   // nothing comes after this batch
    std::int64_t start = 0;  // roughly how many rendered bytes of the log came before this batch
    std::shared_ptr<const std::atomic<std::int64_t>> shown;  // and how many there are by now; may be read anywhere
};

inline constexpr std::int64_t kRenderedEventBytes = 200;  // of an event, besides its text; an estimate

inline constexpr std::size_t kBatchBytesMax = 64 * 1024;  // of rendered events; a viewer never holds more

class Run final : private llm::CompletionSink {
public:
    struct Origin {
        store::UserNo user{};
        store::Payer payer;
        meter::TicketPtr ticket;  // null: nobody's limits count the answer
        store::RunNo no{};
        ResponseFacts facts;
        bool persistent = true;  // has a row in the store
        bool admitted = true;    // false: its question is still being committed, and nothing may be shown before it is
        std::shared_ptr<TurnTrace> trace = nullptr;  // null: not traced
        std::string continued;   // the text of the answer that this one goes on with: its own begins with it
    };

    Run(net::Executor executor, Origin origin, meter::Lease lease);

    const Origin& origin() const { return origin_; }

    const ResponseFacts& facts() const { return origin_.facts; }

    const ResponseEnd& end() const { return end_; }

    bool finished() const { return finished_; }

    // ---- for the driver ----

    llm::CompletionSink& sink() { return *this; }

    meter::Lease& lease() { return lease_; }  // grows with the prompt and with the log

    std::uint64_t leased_bytes() const { return lease_.bytes(); }

    // The question of a run that was made before that is committed: from now on it is shown.
    void admit(store::RunNo no, store::UnixSeconds created_at);
    // It could not be committed: the answer is broken off, and nobody ever saw it. Nothing happens to an admitted run.
    void refuse();
    // Waits until one of the two has happened; whether the run was admitted.
    net::Task<bool> wait_for_admission();

    // The right to make the answer; whoever takes it ends it.
    meter::TicketPtr take_ticket() { return std::exchange(origin_.ticket, nullptr); }

    // What breaks off that which the driver waits for; null: it waits for nothing. Refused (false) when the run is to
    // stop already.
    bool attach(std::function<void()> stop);

    bool stopping() const { return cancelled_ || interrupted_ || refused_; }

    bool cancelled() const { return cancelled_; }

    bool interrupted() const { return interrupted_; }

    bool out_of_memory() const { return out_of_memory_; }

    // The model server sends more items or parts than are kept.
    bool overflowed() const { return output_.overflowed(); }

    // How long it took until now; nothing when no token has come.
    std::optional<store::RunTiming> timing() const;

    std::optional<std::chrono::steady_clock::time_point> first_token_at() const { return first_token_; }

    // Of the event log.
    std::size_t log_bytes() const { return log_.bytes(); }

    // Fixes how it ended and appends the last events, still invisible.
    void close(ResponseEnd end);
    // Everything is committed: shows the last events.
    void publish_end();
    // The end could not be committed: what is shown is a failure, never an answer that the next start does not know.
    void end_unsaved();

    // Counts as one of its user's answers until release_slot().
    void hold_slot(meter::Slot slot) { slot_ = std::move(slot); }

    void release_slot() { slot_.release(); }

    // ---- for the persister ----

    // The log's stretch that is not stored yet; empty when there is none. The closing events are only taken with the
    // commit that ends the run, so that a crash never finds an ended log under an unended run.
    enum class Stretch : std::uint8_t { open, all };
    std::string_view take_unsaved(Stretch stretch, Sequence& first);
    void saved(bool success);

    bool saving() const { return saving_; }

    net::Task<void> wait_until_saved();

    // ---- for viewers ----

    // Events from `from` on, at most kBatchBytesMax of them; waits until there is one, the run is finished, or
    // `deadline`.
    net::Task<Batch> next(Sequence from, net::Deadline deadline);
    // The same in two steps for a viewer on this shard: while it waits, it is told of news directly. Returns when there
    // are events that it has not taken, it is stuck, the run is finished, or `deadline`.
    net::Task<void> wait_for_news(DirectViewer& direct, net::Deadline deadline);
    Batch render(Sequence from) const;
    // Appends events from `from` on to `out`, at most kBatchBytesMax of them; returns the number after the last.
    Sequence render_to(std::string& out, Sequence from) const;
    net::Task<void> wait_until_finished(net::Deadline deadline = net::Deadline::never());
    // Wakes viewers whose deadline has passed.
    void wake_late_viewers(std::chrono::steady_clock::time_point now);

    // Breaks off the answer; what came is kept. Any number of times; nothing happens once it is over.
    void cancel();
    // The same, because the server stops: the answer is incomplete rather than cancelled.
    void interrupt();

    std::size_t viewers() const { return viewers_.size(); }

    Sequence visible() const { return visible_; }

private:
    struct Viewer {
        net::Waker waker;
        net::Deadline deadline;
        DirectViewer* direct = nullptr;
    };

    // On the list for as long as it lives.
    class Watching {
    public:
        Watching(std::vector<Viewer*>& viewers, Viewer& viewer) : viewers_(viewers), viewer_(&viewer) {
            viewers_.push_back(&viewer);
        }

        Watching(const Watching&) = delete;
        Watching& operator=(const Watching&) = delete;

        ~Watching() { std::erase(viewers_, viewer_); }

    private:
        std::vector<Viewer*>& viewers_;
        Viewer* viewer_;
    };

    void on_text(std::string_view text) override {
        if (takes_more()) {
            if (!origin_.continued.empty()) {  // not earlier: without a new token the old answer stays as it is
                output_.text(std::exchange(origin_.continued, {}));
            }
            output_.text(text);
            settle();
        }
    }

    void on_reasoning(std::string_view text) override {
        if (takes_more()) {
            output_.reasoning(text);
            settle();
        }
    }

    void on_refusal(std::string_view text) override {
        if (takes_more()) {
            output_.refusal(text);
            settle();
        }
    }

    void on_tool_call(const llm::ToolCallDelta& delta) override {
        if (takes_more()) {
            output_.tool_call(delta);
            settle();
        }
    }

    bool takes_more();
    void settle();

    void on_read_end() override { show(); }

    void show();
    void reveal(ShowLimit::Time now);
    void break_off();
    std::int64_t rendered_bytes(Sequence before) const;

    net::Executor executor_;
    Origin origin_;
    meter::Lease lease_;
    meter::Slot slot_;
    ResponseEnd end_;
    EventLog log_;
    OutputWriter output_{log_};
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    std::optional<std::chrono::steady_clock::time_point> first_token_;
    Sequence visible_ = 0;  // events before this one may be seen
    ShowLimit limit_;       // of visible_, and what was handed to the store
    bool finished_ = false;
    bool cancelled_ = false;
    bool interrupted_ = false;
    bool out_of_memory_ = false;
    bool saving_ = false;
    bool refused_ = false;
    std::function<void()> stop_;
    std::shared_ptr<std::atomic<std::int64_t>> shown_ = std::make_shared<std::atomic<std::int64_t>>(0);
    std::vector<Viewer*> viewers_;
    net::WaitList waiting_for_save_;
    net::WaitList waiting_for_admission_;
};

}  // namespace confab::chat
