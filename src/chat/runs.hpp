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
#include "llm/upstream.hpp"
#include "meter/counters.hpp"
#include "net/shard.hpp"
#include "net/task_group.hpp"
#include "store/blob_disk.hpp"
#include "store/store.hpp"

namespace confab::chat {

inline constexpr std::chrono::milliseconds kPersistEvery{250};
inline constexpr std::chrono::seconds kStopWaitMax{10};   // who stops a run does not wait for a full disk
inline constexpr std::size_t kRunLeaseBytes = 32 * 1024;  // to begin with

// A run as asked for.
struct RunRequest {
    store::UserNo user{};
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
};

using RunPtr = std::shared_ptr<Run>;

class RunService {
public:
    explicit RunService(RunEnvironment environment);
    ~RunService();

    // Commits the input and starts the answer; the model server may be asked meanwhile (ADR 0017). Errors of RunStore::begin_run; unavailable (overloaded).
    net::Task<base::Result<RunPtr>> start(RunRequest request);

    // The run under way with this id and owner, or null.
    RunPtr find(store::UserNo user, store::ResponseId id) const;

    std::size_t size() const { return live_.size(); }

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
        std::string& upstream_name
    );
    net::Task<base::Result<llm::Outcome>> answer_shorter(
        RunPtr run,
        llm::UpstreamPtr upstream,
        RunRequest& request,
        BegunPtr begun,
        base::Result<llm::Outcome> refused
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
        BegunPtr begun
    );
    net::Task<void> finish(RunPtr run, base::Result<llm::Outcome> outcome, std::string upstream_name);
    net::Task<base::Status> commit(Run& run, std::optional<llm::Usage> usage, const std::string& upstream_name);
    store::ResponseId make_id() const;
    void tick(std::chrono::steady_clock::time_point now);
    net::Task<void> persist();

    RunEnvironment environment_;
    std::unordered_map<store::ResponseId, RunPtr, base::IdHash> live_;
    net::TaskGroup tasks_;
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

    // Facts and state of a run under way, as a Response object; nothing when it is not under way.
    net::Task<std::optional<std::string>> render(store::UserNo user, store::ResponseId id);

private:
    const Place& place(const store::ResponseId& id) const;

    std::vector<Place> places_;
};

inline constexpr std::string_view kInterrupted =
    "interrupted";  // why a run is incomplete that the server's end cut off

// What the store is told of a run's end: status, usage, and the answer's item if there is a text.
store::FinishRun finish_row(store::RunNo no, const ResponseEnd& end);

}  // namespace confab::chat
