// UpstreamSlots: who may ask a model server now, and who waits. One for each server and process.
//
// The number of slots adapts to what the server bears (ConcurrencyLimit), and is never more than what is configured. Who
// finds none free waits in one line for all shards, which serves people in turn (FairQueue), for a bounded time in a
// bounded line: when it is full, whoever has the most in it gives way. A mutex guards it, held for a few instructions at
// the beginning and the end of an exchange that takes seconds (ADR 0014, ADR 0031).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.hpp"
#include "llm/concurrency_limit.hpp"
#include "llm/fair_queue.hpp"
#include "meter/counters.hpp"
#include "net/deadline.hpp"
#include "net/task.hpp"

namespace confab::llm {

inline constexpr std::size_t kSlotQueueMax = 1'000;      // requests that wait for one server
inline constexpr std::chrono::seconds kSlotWaitMax{30};  // for a slot; then the caller is told that the server is busy
inline constexpr std::chrono::seconds kBusyRetryAfter{5};        // what it is told to wait
inline constexpr std::chrono::milliseconds kSlotLookEvery{200};  // waiters look whether the limit has grown

// The newest thing that went wrong at a model server, for administrators.
struct UpstreamFailure {
    base::UnixSeconds at = 0;
    std::string code;     // of the error, or "http_503" and its like
    std::string message;  // for people
};

class UpstreamSlots {
public:
    struct Counts {
        std::size_t limit = 0;
        std::size_t in_use = 0;
        std::size_t waiting = 0;
    };

    using Clock = std::function<ConcurrencyLimit::Time()>;

    // The clock by which the limit grows; any thread asks it.
    explicit UpstreamSlots(Clock clock = &std::chrono::steady_clock::now) : clock_(std::move(clock)) {}

    // The most that the administrator allows; kSlotsMax: as many as the server bears. From any thread.
    void set_most(std::size_t slots) { most_.store(slots, std::memory_order_relaxed); }

    Counts counts() const;

    // How the server does; from any thread. `last_failure` is null when there was none since it was connected, `look_ms`
    // negative before the first look at its models.
    void note_failure(std::string code, std::string message);
    std::shared_ptr<const UpstreamFailure> last_failure() const { return last_failure_.load(); }
    void note_look(std::chrono::milliseconds took) { look_ms_.store(took.count(), std::memory_order_relaxed); }
    std::int64_t look_ms() const { return look_ms_.load(std::memory_order_relaxed); }

    meter::Counter retries;   // requests sent again
    meter::Counter refusals;  // answers that lowered the limit, or would have
    meter::Counter busy;      // requests that were turned away

private:
    friend class SlotRequest;

    struct Waiter {
        enum class State : std::uint8_t { idle, waiting, holding, displaced };

        Waiter(net::Executor its_executor, PersonKey its_person)
            : executor(its_executor), timer(its_executor), person(its_person) {}

        net::Executor executor;
        net::Timer timer;  // only touched on the executor
        const PersonKey person;
        State state = State::idle;
        ConcurrencyLimit::Time granted_at{};
    };

    using WaiterPtr = std::shared_ptr<Waiter>;

    // False when the line is full.
    bool enter(const WaiterPtr& waiter);
    void leave(const WaiterPtr& waiter);
    Waiter::State state_of(const WaiterPtr& waiter);
    std::size_t limit(ConcurrencyLimit::Time now) const;
    static void wake(const WaiterPtr& waiter);
    void refused(const WaiterPtr& waiter);
    // With the mutex held. Wakes whoever gets a slot, except `caller`, which is awake.
    void grant(const WaiterPtr& caller);

    const Clock clock_;
    // tidy: allow mutex: one line for all shards; held for a few instructions twice in an exchange (ADR 0014)
    mutable std::mutex mutex_;
    ConcurrencyLimit limit_;
    FairQueue<WaiterPtr> queue_;
    std::size_t in_use_ = 0;
    std::atomic<std::size_t> most_{kSlotsMax};
    std::atomic<std::shared_ptr<const UpstreamFailure>> last_failure_;
    std::atomic<std::int64_t> look_ms_{-1};
};

// One place: waits for a slot, then holds it until destroyed. Lives on one shard.
class SlotRequest {
public:
    SlotRequest(std::shared_ptr<UpstreamSlots> slots, net::Executor executor, PersonKey person = 0);
    SlotRequest(const SlotRequest&) = delete;
    SlotRequest& operator=(const SlotRequest&) = delete;
    ~SlotRequest();

    // Errors: unavailable (upstream_busy) when too many wait, or for too long; cancelled.
    net::Task<base::Status> wait(
        std::string_view upstream_name,
        net::Deadline patience = net::Deadline::after(kSlotWaitMax)
    );

    // wait() ends at once.
    void cancel();

    // The server refused for load the request that this slot was for.
    void refused() { slots_->refused(waiter_); }

private:
    std::unexpected<base::Error> busy(std::string_view upstream_name);

    std::shared_ptr<UpstreamSlots> slots_;
    UpstreamSlots::WaiterPtr waiter_;
    bool cancelled_ = false;
};

}  // namespace confab::llm
