// Runs: starts answers, keeps those under way, persists them, finds them again.
//
// One RunService per shard; a response's id says on which shard it lives (shard_of). RunDirectory reaches them all:
// what a caller asks of a run elsewhere is done there, and the caller resumes at home.
#pragma once

#include <chrono>
#include <memory>
#include <unordered_map>
#include <vector>

#include "chat/compaction.hpp"
#include "chat/prompt.hpp"
#include "chat/prompt_budget.hpp"
#include "chat/run.hpp"
#include "chat/run_usage.hpp"
#include "llm/upstream.hpp"
#include "meter/counters.hpp"
#include "net/shard.hpp"
#include "net/task_group.hpp"
#include "net/turnstile.hpp"
#include "store/blob_disk.hpp"
#include "store/store.hpp"

namespace confab::chat {

inline constexpr std::chrono::milliseconds kPersistEvery{250};
inline constexpr std::chrono::seconds kStopWaitMax{10};   // who stops a run does not wait for a full disk
inline constexpr std::size_t kRunLeaseBytes = 32 * 1024;  // to begin with

// A run as asked for.
struct RunRequest {
    std::optional<store::ResponseId> id = std::nullopt;  // one of RunService::make_id; nothing: made here
    store::UserNo user{};
    store::Payer payer;
    meter::TicketPtr ticket;
    store::RunTarget target;
    std::vector<store::NewItem> input;
    std::string model;
    std::string instructions;
    std::string echo;             // the Response object's echoed members, a JSON object
    llm::ChatRequest parameters;  // model and stream are filled in here
    bool background = false;
    bool stored = true;
    bool continues = false;  // goes on with the incomplete answer at the end of the conversation
    store::Truncation truncation = store::Truncation::automatic;
    std::int64_t prompt_tokens_max = 0;  // filled in here
    std::optional<meter::TraceContext> trace = std::nullopt;  // of the request that asks
};

struct RunEnvironment {
    net::Shard& shard;
    store::RunStore& store;
    llm::Upstreams& upstreams;
    net::HttpClient& client;
    meter::ByteBudget& budget;
    meter::RunCounters& counters;
    unsigned shard_count = 1;
    store::FileStore& files;
    store::BlobDisk& blobs;
    std::function<void(const Run&)> ended = {};  // told of each answer when it is finished and committed
    store::ContextStore* context = nullptr;   // null: no prompt is planned twice, and nothing is summarised
    TokenCalibration* calibration = nullptr;  // null: estimates are taken as they are
    meter::Pressure* pressure = nullptr;      // null: there is none, ever
    meter::Tracer* tracer = nullptr;          // null: tracing is off
    UsageBook* usage = nullptr;               // null: nothing costs anything, and what is not stored is not counted
};

using RunPtr = std::shared_ptr<Run>;

class RunService {
public:
    explicit RunService(RunEnvironment environment);
    ~RunService();

    // Commits the input and starts the answer; the model server may be asked meanwhile (ADR 0017). `slot`, if
    // there is one, is held until the answer ends. Errors of RunStore::begin_run and ByteBudget::try_lease.
    net::Task<base::Result<RunPtr>> start(RunRequest request, meter::Slot slot = {});

    // A new id of a run of this shard.
    store::ResponseId make_id() const;

    // The run under way with this id and owner, or null.
    RunPtr find(store::UserNo user, store::ResponseId id) const;

    std::size_t size() const { return live_.size(); }

    // Of the user's runs under way the one that holds most, or null.
    RunPtr largest_of(store::UserNo user) const;

    // Cancels every run of the user; does not wait for their ends.
    void cancel_all_of(store::UserNo user);

    // From now on start() answers `unavailable`.
    void refuse_new();

    // Breaks off every run, waits until all are committed.
    net::Task<void> interrupt_all();

private:
    struct Prepared {
        Run::Origin origin;
        meter::Lease lease;
        meter::Slot slot;
        std::optional<store::NewRun> row;  // nothing: it is not stored
    };

    using BegunPtr = std::shared_ptr<std::optional<store::BegunRun>>;  // nothing yet: not committed, or never stored

    base::Result<Prepared> prepare(RunRequest& request);
    RunPtr make_run(Prepared& prepared);
    static void take_begun(Prepared& prepared, std::optional<store::BegunRun>& begun);
    net::Task<void> drive(RunPtr run, RunRequest request, BegunPtr begun);
    net::Task<base::Result<llm::Outcome>> answer(
        RunPtr run,
        RunRequest request,
        BegunPtr begun,
        Asked& asked
    );
    net::Task<base::Result<llm::Outcome>> answer_shorter(
        RunPtr run,
        llm::UpstreamPtr upstream,
        RunRequest& request,
        BegunPtr begun,
        base::Result<llm::Outcome> refused,
        Asked& asked
    );
    void learn_tokens(
        const llm::Upstream& upstream,
        const std::string& model,
        std::int64_t estimated,
        const llm::Outcome& outcome
    );
    net::Task<base::Result<llm::UpstreamPtr>> choose(RunPtr run, std::string model);
    net::Task<base::Result<llm::Outcome>> attempt(
        RunPtr run,
        llm::UpstreamPtr upstream,
        RunRequest& request,
        BegunPtr begun,
        Asked& asked
    );
    net::Task<void> finish(RunPtr run, base::Result<llm::Outcome> outcome, Asked asked);
    net::Task<base::Status> commit(Run& run, store::UsageCount taken, const std::string& upstream_name);
    void tick(std::chrono::steady_clock::time_point now);
    net::Task<void> persist();

    RunEnvironment environment_;
    std::unordered_map<store::ResponseId, RunPtr, base::IdHash> live_;
    net::TaskGroup tasks_;
    net::Turnstile rendering_;  // of prompts
    std::unique_ptr<Compactor> compactor_;  // null without a context store
    std::chrono::steady_clock::time_point next_persist_{};
    bool persisting_ = false;
    bool closing_ = false;
    net::Ticker::Subscription tick_;  // last: it must not fire into a half-dead object
};

// Where a response lives.
unsigned shard_of(const store::ResponseId& id, unsigned shard_count);

class RunDirectory {
public:
    struct Place {
        net::Executor executor;
        RunService* service;
    };

    explicit RunDirectory(std::vector<Place> places) : places_(std::move(places)) {}

    // The next events of a run under way, from `from` on; nothing when it is not under way (any more): read the store
    // then.
    net::Task<std::optional<Batch>> next(
        store::UserNo user,
        store::ResponseId id,
        Sequence from,
        net::Deadline deadline
    );

    // Cancels and waits until the end is committed, but no longer than kStopWaitMax. False when it is not under way.
    net::Task<bool> cancel(store::UserNo user, store::ResponseId id);

    // Cancels every run of the user, on every shard; their ends are committed soon after.
    net::Task<void> cancel_all_of(store::UserNo user);

    // Breaks off the user's largest run, wherever it is; what came of it is kept, and can be continued. Its id; nothing
    // when the user has none.
    net::Task<std::optional<store::ResponseId>> interrupt_largest_of(store::UserNo user);

    // Facts and state of a run under way, as a Response object; nothing when it is not under way.
    net::Task<std::optional<std::string>> render(store::UserNo user, store::ResponseId id);

private:
    const Place& place(const store::ResponseId& id) const;

    std::vector<Place> places_;
};

}  // namespace confab::chat
