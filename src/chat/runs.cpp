#include "chat/runs.hpp"

#include <spdlog/spdlog.h>

#include "chat/prompt_images.hpp"
#include "chat/run_context.hpp"
#include "chat/run_end.hpp"
#include "chat/run_figures.hpp"
#include "chat/run_usage.hpp"
#include "llm/token_estimate.hpp"

namespace confab::chat {

namespace {

using base::Errc;
using net::Task;
using store::RunStatus;

// With a commit that fails otherwise than for a full disk or an overloaded store. A full disk is waited for as long as it
// takes: until then the answer is not finished, and given up it would stay so, its conversation locked, until a restart.
constexpr std::chrono::minutes kCommitPatience{30};
constexpr int kCommitTriesClosing = 4;  // while the server stops
constexpr std::chrono::milliseconds kCommitRetry{500};

bool may_pass(const base::Status& committed) {
    return !committed && (committed.error().errc == Errc::storage_full || committed.error().errc == Errc::unavailable);
}

bool refuses_stream_options(const base::Error& error) {
    const bool refused = error.errc == Errc::invalid_request || error.errc == Errc::unprocessable;
    return refused && error.message.find("stream_options") != std::string::npos;
}

std::unexpected<base::Error> shutting_down() {
    return base::fail(Errc::unavailable, "The server is shutting down. Try again shortly.", "shutting_down");
}

// A question that stands alone, and fits: its prompt is known without the store, so that the model server can be asked
// while the question is being committed. Nothing is shown before it is (Run::Origin::admitted).
bool asks_early(const store::NewRun& row) {
    std::int64_t tokens = 0;
    for (const store::NewItem& item : row.input) {
        tokens += item.tokens;
    }
    return !row.target.conversation && !row.target.previous_response && !row.continues && !row.input.empty() &&
           tokens <= row.prompt_tokens_max;
}

// Tells a run, if there is one yet, how the commit of its question ended: refused, unless granted.
class Admission {
public:
    explicit Admission(RunPtr run) : run_(std::move(run)) {}

    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;

    ~Admission() {
        if (run_) {
            run_->refuse();  // nothing to a run that was admitted
        }
    }

    void grant(const store::BegunRun& begun) const {
        if (run_) {
            run_->admit(begun.no, begun.created_at);
        }
    }

private:
    RunPtr run_;
};

std::unexpected<base::Error> stopped() {
    return base::fail(Errc::cancelled, "The request was cancelled.", "cancelled");
}

}  // namespace

unsigned shard_of(const store::ResponseId& id, unsigned shard_count) {
    return id.bytes.back() % shard_count;
}

RunService::RunService(RunEnvironment environment)
    : environment_(environment),
      tasks_(environment.shard.executor(), "runs"),
      rendering_(environment.shard.executor(), kPromptsAtOnceMax) {
    CONFAB_ASSERT(environment.shard_count <= 64);
    if (environment_.context != nullptr) {
        compactor_ = std::make_unique<Compactor>(CompactionEnvironment{
            environment_.shard,
            environment_.store,
            *environment_.context,
            environment_.upstreams,
            environment_.client,
            environment_.budget,
            environment_.pressure
        });
    }
    tick_ = environment_.shard.ticker().every_tick([this](auto now) { tick(now); }, net::Ticker::Pace::calm);
}

RunService::~RunService() = default;

// An id that lives here: its last byte, random otherwise, names the shard.
store::ResponseId RunService::make_id() const {
    auto id = store::ResponseId::make();
    const unsigned count = environment_.shard_count;
    const unsigned groups = 256 / count;
    id.bytes.back() = static_cast<std::uint8_t>((id.bytes.back() % groups) * count + environment_.shard.index());
    return id;
}

RunPtr RunService::find(store::UserNo user, store::ResponseId id) const {
    const auto entry = live_.find(id);
    return entry != live_.end() && entry->second->origin().user == user ? entry->second : nullptr;
}

// ---- starting ----

Task<base::Result<RunPtr>> RunService::start(RunRequest request, meter::Slot slot) {
    if (closing_) {
        co_return shutting_down();
    }
    CO_TRY(auto prepared, prepare(request));
    prepared.slot = std::move(slot);
    const auto begun = std::make_shared<std::optional<store::BegunRun>>();
    RunPtr run;
    const std::shared_ptr<TurnTrace> trace = prepared.origin.trace;
    const bool early = prepared.row && asks_early(*prepared.row);
    if (early) {
        prepared.origin.admitted = false;
        run = make_run(prepared);
        if (!tasks_.spawn(drive(run, request, begun))) {
            co_return shutting_down();
        }
    }
    if (prepared.row) {
        const Admission admission(run);  // whatever happens, who waits for it is told
        const auto commit_begun = net::Deadline::Clock::now();
        CO_TRY(*begun, co_await environment_.store.begin_run(*std::move(prepared.row)));
        if (trace) {
            trace->phase("begin_run", commit_begun, net::Deadline::Clock::now());
        }
        request.input.clear();  // the prompt comes from the store; a long answer must not hold a long question
        admission.grant(**begun);
    }
    if (!early) {
        take_begun(prepared, *begun);
        run = make_run(prepared);
    }
    if (closing_) {
        run->interrupt();  // it is committed already: it ends as incomplete, like the others
    }
    live_.emplace(run->facts().id, run);
    tick_.set_pace(net::Ticker::Pace::brisk);  // until tick() finds nothing under way
    environment_.counters.started.add();
    environment_.counters.live.add(1);
    if (!early && !tasks_.spawn(drive(run, std::move(request), begun))) {
        live_.erase(run->facts().id);
        environment_.counters.live.add(-1);
        co_return shutting_down();
    }
    co_return run;
}

// What is known of a run before the store knows it.
base::Result<RunService::Prepared> RunService::prepare(RunRequest& request) {
    const auto user = static_cast<std::int64_t>(request.user);
    TRY(auto lease, environment_.budget.try_lease(kRunLeaseBytes, meter::Purpose::runs, user));
    Prepared prepared{{}, std::move(lease), {}, std::nullopt};
    Run::Origin& origin = prepared.origin;
    origin.user = request.user;
    origin.payer = request.payer;
    origin.ticket = std::move(request.ticket);
    origin.persistent = request.stored || request.target.conversation || request.target.previous_response;
    origin.facts.id = request.id ? *request.id : make_id();
    origin.facts.created_at = base::unix_now();
    origin.facts.model = request.model;
    origin.facts.request = request.echo;
    origin.facts.background = request.background;
    origin.facts.stored = request.stored;
    origin.trace = begin_turn_trace(environment_.tracer, request.trace);
    origin.facts.conversation = request.target.conversation;
    origin.facts.previous_response = request.target.previous_response;
    TRY_VOID(plan_budget(*environment_.upstreams.snapshot(), environment_.calibration, request));
    if (origin.persistent) {
        store::NewRun& row = prepared.row.emplace();
        row.id = origin.facts.id;
        row.user = request.user;
        row.key = request.payer.key;
        row.session = request.payer.session;
        row.target = request.target;
        row.input = request.input;
        row.model = request.model;
        row.request = request.echo;
        row.background = request.background;
        row.stored = request.stored;
        row.continues = request.continues;
        row.prompt_tokens_max = request.prompt_tokens_max;
        row.truncation = request.truncation;
        if (request.instructions.empty()) {
            row.count_tokens = llm::estimate_tokens;
        }
    }
    return prepared;
}

RunPtr RunService::make_run(Prepared& prepared) {
    auto run = std::make_shared<Run>(
        environment_.shard.executor(), std::move(prepared.origin), std::move(prepared.lease)
    );
    run->hold_slot(std::move(prepared.slot));
    return run;
}

// What the store said of a run that was committed before it was made.
void RunService::take_begun(Prepared& prepared, std::optional<store::BegunRun>& begun) {
    if (!begun) {
        return;
    }
    Run::Origin& origin = prepared.origin;
    origin.no = begun->no;
    origin.facts.created_at = begun->created_at;
    if (begun->continued) {
        origin.continued = *std::move(begun->continued);
        begun->continued.emplace();  // that there is one still matters to the prompt
        if (!prepared.lease.grow(origin.continued.size())) {
            spdlog::warn("lease_missing id={} bytes={}", origin.facts.id.str(), origin.continued.size());
        }
    }
}

// ---- the life of a run ----

Task<void> RunService::drive(RunPtr run, RunRequest request, BegunPtr begun) {
    Asked asked;
    std::optional<CompactionWanted> compaction = compaction_after(request, *begun);
    if (compactor_ && *begun) {
        compactor_->give_way((*begun)->conversation_no);
    }
    base::Result<llm::Outcome> outcome =
        base::fail(Errc::internal, "The answer failed inside the server.", "server_error");
    try {
        outcome = co_await answer(run, std::move(request), std::move(begun), asked);
    } catch (const std::exception& e) {
        spdlog::error("run_failed id={} error=\"{}\"", run->facts().id.str(), e.what());
    }
    run->attach(nullptr);
    if (!co_await run->wait_for_admission()) {
        co_return;
    }
    co_await finish(run, std::move(outcome), std::move(asked));
    if (compactor_ && compaction && run->end().status == RunStatus::completed) {
        compactor_->consider(*std::move(compaction));
    }
}

Task<base::Result<llm::Outcome>> RunService::answer(
    RunPtr run,
    RunRequest request,
    BegunPtr begun,
    Asked& asked
) {
    CO_TRY(const auto upstream, co_await choose(run, request.model));
    asked.upstream = upstream ? upstream->name : std::string(llm::kDemoModel);
    request.parameters.model = request.model;
    request.parameters.stream = true;
    if (upstream && upstream->max_tokens_field == "max_completion_tokens") {
        request.parameters.token_limit_field = llm::TokenLimitField::max_completion_tokens;
    }
    auto outcome = co_await attempt(run, upstream, request, begun, asked);
    if (!outcome && refuses_stream_options(outcome.error()) && co_await run->wait_for_admission()) {
        request.parameters.include_usage = false;  // an old server: once more without it
        outcome = co_await attempt(run, upstream, request, begun, asked);
    }
    if (upstream && !run->timing() && is_context_exceeded(outcome) && co_await run->wait_for_admission()) {
        co_return co_await answer_shorter(run, upstream, request, begun, std::move(outcome), asked);
    }
    co_return outcome;
}

// The server refused the prompt for its length: once more with less of the history, if there is less to send.
Task<base::Result<llm::Outcome>> RunService::answer_shorter(
    RunPtr run,
    llm::UpstreamPtr upstream,
    RunRequest& request,
    BegunPtr begun,
    base::Result<llm::Outcome> refused,
    Asked& asked
) {
    const std::int64_t named = window_named_by(refused);
    if (environment_.calibration != nullptr) {
        co_await environment_.calibration->refused(upstream->name, request.model, named);
    }
    if (environment_.context == nullptr || !*begun || request.truncation == store::Truncation::disabled) {
        co_return context_exceeded(refused);
    }
    const std::int64_t tokens_max =
        shorter_budget(*environment_.upstreams.snapshot(), environment_.calibration, request, **begun);
    auto planned = co_await environment_.context->replan_run((*begun)->no, tokens_max);
    if (!planned) {
        co_return std::unexpected(planned.error());
    }
    if (planned->plan.tokens >= (*begun)->prompt.tokens) {
        co_return context_exceeded(refused);
    }
    spdlog::info("prompt_shortened id={} tokens={}", run->facts().id.str(), planned->plan.tokens);
    (*begun)->prompt = planned->plan;
    (*begun)->summary = std::move(planned->summary);
    auto outcome = co_await attempt(run, upstream, request, begun, asked);
    if (!run->timing() && is_context_exceeded(outcome)) {
        co_return context_exceeded(outcome);
    }
    co_return outcome;
}

// What the server counted. Not with images, which every server counts in its own way.
void RunService::learn_tokens(
    const llm::Upstream& upstream,
    const std::string& model,
    std::int64_t estimated,
    const llm::Outcome& outcome
) {
    if (environment_.calibration != nullptr && outcome.usage && outcome.usage->input_tokens > 0) {
        tasks_.spawn(environment_.calibration->learn(upstream.name, model, estimated, outcome.usage->input_tokens));
    }
}

// The model's server. The first look at the servers may take seconds; a run that is stopped does not wait for it.
Task<base::Result<llm::UpstreamPtr>> RunService::choose(RunPtr run, std::string model) {
    struct Look {
        explicit Look(net::Executor executor) : news(executor) {}

        net::Waker news;
        std::optional<base::Result<llm::UpstreamPtr>> found;
    };

    const llm::CatalogPtr catalog = environment_.upstreams.snapshot();
    if (catalog->refreshed || catalog->upstreams.size() < 2) {
        co_return catalog->resolve(model);
    }
    const auto look = std::make_shared<Look>(environment_.shard.executor());
    std::function<void()> stop = [look] { look->news.notify(); };
    auto search = [](llm::Upstreams& upstreams, std::string wanted, std::shared_ptr<Look> into) -> Task<void> {
        into->found = co_await upstreams.choose(std::move(wanted));
        into->news.notify();
    };
    if (!run->attach(std::move(stop)) || !tasks_.spawn(search(environment_.upstreams, std::move(model), look))) {
        co_return stopped();
    }
    while (!look->found && !run->stopping()) {
        co_await look->news.wait();
    }
    run->attach(nullptr);
    if (!look->found) {
        co_return stopped();
    }
    co_return *look->found;
}

// One exchange with the model server.
Task<base::Result<llm::Outcome>> RunService::attempt(
    RunPtr run,
    llm::UpstreamPtr upstream,
    RunRequest& request,
    BegunPtr begun,
    Asked& asked
) {
    net::BodySource body;
    std::int64_t estimated = 0;
    if (upstream) {
        net::Turnstile::Place place = co_await rendering_.enter();
        if (run->stopping()) {
            co_return stopped();
        }
        CO_TRY(
            auto prompt,
            co_await render_prompt(
                environment_.store, run->lease(), request.parameters, request.instructions, *begun, request.input
            )
        );
        place.leave();
        estimated = asked.prompt_tokens = prompt.tokens;
        body.text = std::move(prompt.body);
        if (run->origin().persistent) {
            request.input.clear();  // from now on the store has it, or nobody needs it
        }
        const PromptImages images{environment_.files, environment_.blobs, run->origin().user};
        CO_TRY_VOID(co_await images.insert(body, run->lease()));
        environment_.counters.prompt_bytes.observe(body.size());
    }
    const bool text_only = body.insertions.empty();
    const auto completion = llm::make_completion(
        environment_.client,
        environment_.shard.executor(),
        upstream,
        std::move(body),
        run->sink(),
        llm::CompletionOrigin{static_cast<std::int64_t>(run->origin().user), traceparent_of(*run, request.trace)}
    );
    std::function<void()> stop = [running = completion.get()] { running->cancel(); };
    if (!run->attach(std::move(stop))) {
        co_return stopped();
    }
    auto outcome = co_await completion->run();
    run->attach(nullptr);
    trace_exchange(*run, *completion, outcome);
    if (upstream && outcome && text_only) {
        learn_tokens(*upstream, request.model, estimated, *outcome);
    }
    co_return outcome;
}

Task<void> RunService::finish(RunPtr run, base::Result<llm::Outcome> outcome, Asked asked) {
    run->close(end_of(*run, outcome));
    const RunStatus status = run->end().status;
    const auto commit_begun = net::Deadline::Clock::now();
    const store::UsageCount taken = count_usage(*run, outcome, asked, environment_.usage);
    settle_usage(*run, taken, asked, environment_.usage);
    if (run->origin().persistent) {
        const auto committed = co_await commit(*run, taken, asked.upstream);
        if (!committed) {
            spdlog::error("run_not_saved id={} code={}", run->facts().id.str(), committed.error().code);
            run->end_unsaved();
        }
    }
    trace_end(*run, commit_begun, outcome);
    auto& counters = environment_.counters;
    measure_run(*run, counters);
    (status == RunStatus::failed      ? counters.failed
     : status == RunStatus::cancelled ? counters.cancelled
                                      : counters.completed)
        .add();
    counters.live.add(-1);
    run->release_slot();
    run->publish_end();
    live_.erase(run->facts().id);
    if (environment_.ended) {
        environment_.ended(*run);
    }
}

Task<base::Status> RunService::commit(Run& run, store::UsageCount taken, const std::string& upstream_name) {
    base::Status committed;
    const auto patience = net::Deadline::after(kCommitPatience);
    int closing_tries = 0;
    for (int tries = 0; (!patience.passed() || may_pass(committed)) && closing_tries < kCommitTriesClosing; ++tries) {
        closing_tries += closing_ ? 1 : 0;
        co_await run.wait_until_saved();
        store::FinishRun row = finish_row(run.origin().no, run.end());
        row.upstream = upstream_name;
        row.taken = taken;
        Sequence first = 0;
        store::RunChunk chunk;
        chunk.data = run.take_unsaved(Run::Stretch::all, first);
        chunk.run = run.origin().no;
        chunk.seq_first = first;
        if (!chunk.data.empty()) {
            row.chunks.push_back(std::move(chunk));
        }
        committed = co_await environment_.store.finish_run(std::move(row));
        run.saved(committed.has_value());
        if (committed) {
            break;
        }
        co_await net::sleep_for(kCommitRetry * (closing_ ? 1 : std::min(tries + 1, 10)));
    }
    co_return committed;
}

// ---- persisting ----

void RunService::tick(std::chrono::steady_clock::time_point now) {
    if (live_.empty()) {
        tick_.set_pace(net::Ticker::Pace::calm);
        return;
    }
    for (const auto& [id, run] : live_) {
        run->wake_late_viewers(now);
        if (run->out_of_memory() || run->overflowed()) {
            run->interrupt();
        }
    }
    if (now >= next_persist_ && !persisting_) {
        next_persist_ = now + kPersistEvery - net::Ticker::kPeriod / 2;  // at the nearest tick, not the one after it
        persisting_ = true;
        if (!tasks_.spawn(persist())) {
            persisting_ = false;
        }
    }
}

// One write for the new events of all runs.
Task<void> RunService::persist() {
    std::vector<store::RunChunk> chunks;
    std::vector<RunPtr> taken;
    for (const auto& [id, run] : live_) {
        if (!run->origin().persistent || run->saving()) {
            continue;
        }
        Sequence first = 0;
        const std::string_view records = run->take_unsaved(Run::Stretch::open, first);
        if (records.empty()) {
            continue;
        }
        store::RunChunk chunk;
        chunk.run = run->origin().no;
        chunk.seq_first = first;
        chunk.data = records;
        chunks.push_back(std::move(chunk));
        taken.push_back(run);
    }
    if (!chunks.empty()) {
        const auto done = co_await environment_.store.append_run_chunks(std::move(chunks));
        if (!done) {
            spdlog::warn("runs_not_persisted code={} runs={}", done.error().code, taken.size());
        }
        for (const RunPtr& run : taken) {
            run->saved(done.has_value());
        }
    }
    persisting_ = false;
}

void RunService::refuse_new() {
    closing_ = true;
    if (compactor_) {
        compactor_->stop();
    }
}

Task<void> RunService::interrupt_all() {
    refuse_new();
    for (const auto& [id, run] : live_) {
        run->interrupt();
    }
    co_await tasks_.join();
    if (compactor_) {
        co_await compactor_->close();
    }
}

}  // namespace confab::chat
