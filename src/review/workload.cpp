#include "review/workload.hpp"

#include <fmt/format.h>

#include "review/samples.hpp"

namespace confab::review {

namespace {

using base::Result;
using base::Status;
using net::Task;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kStepPatience{60};
constexpr int kWarmUps = 4;
constexpr int kLeakLoops = 4;
constexpr int kReconnectEvery = 10;  // interactions
constexpr double kLeakNoise = 1 * kMib;
constexpr std::chrono::seconds kSettlePatience{5};
constexpr std::chrono::milliseconds kSettleLookEvery{100};

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

base::Error bad_answer(const Heard& heard, const char* to) {
    return {
        base::Errc::upstream_failed,
        fmt::format("status {} to {}: {}", heard.status, to, heard.body.substr(0, 200)),
        "bad_answer",
        "",
        {}
    };
}

}  // namespace

void Workload::set(std::string_view id, double value, std::string evidence) {
    CONFAB_ASSERT(find_rule(id) != nullptr);
    result_.figures[std::string(id)] = {value, std::move(evidence)};
}

void Workload::leave_out(const std::vector<std::string_view>& ids, const std::string& reason) {
    for (const std::string_view id : ids) {
        CONFAB_ASSERT(find_rule(id) != nullptr);
        result_.figures.try_emplace(std::string(id), Figure{std::nullopt, reason});
    }
}

// ---- steps ----

Task<Result<double>> Workload::open(HttpProbe& probe, const std::string& conversation, std::uint64_t* bytes) {
    const auto begin = Clock::now();
    Ask ask = parts_.subject.open_request(person(kOwner), conversation);
    CO_TRY(const Heard heard, co_await probe.ask(std::move(ask), kStepPatience));
    if (!heard.ok()) {
        co_return std::unexpected(bad_answer(heard, "opening a conversation"));
    }
    if (bytes != nullptr) {
        *bytes = heard.bytes;
    }
    co_return seconds_since(begin) * 1'000;
}

Task<Result<double>> Workload::interact(HttpProbe& probe, std::size_t who, std::string conversation) {
    const auto begin = Clock::now();
    const Script script;
    Ask ask = parts_.subject.turn_request(person(who), conversation, script);
    CO_TRY(const Heard heard, co_await probe.ask(std::move(ask), kStepPatience));
    if (!Subject::is_answer(heard)) {
        co_return std::unexpected(bad_answer(heard, "a question"));
    }
    if (parts_.subject.is_ours()) {
        Ask again = parts_.subject.open_request(person(who), conversation);
        CO_TRY(const Heard page, co_await probe.ask(std::move(again), kStepPatience));
        if (!page.ok()) {
            co_return std::unexpected(bad_answer(page, "opening a conversation"));
        }
    }
    co_return seconds_since(begin) * 1'000;
}

Task<void> Workload::settle(
    std::function<bool(const ProcessFigures&)> settled,
    std::chrono::milliseconds patience
) {
    const auto until = Clock::now() + patience;
    while (Clock::now() < until) {
        const auto figures = parts_.timeline.look();
        if (!figures || settled(*figures)) {
            co_return;
        }
        co_await net::sleep_for(kSettleLookEvery);
    }
}

// The share of one processor that the server uses for the next `seconds`.
Task<Result<double>> Workload::busy_share(double seconds) {
    const auto begin = Clock::now();
    CO_TRY(const ProcessFigures before, parts_.timeline.look());
    co_await net::sleep_for(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)));
    CO_TRY(const ProcessFigures after, parts_.timeline.look());
    co_return (after.cpu_seconds - before.cpu_seconds) / seconds_since(begin);
}

// ---- phases ----

Task<Status> Workload::warm_up() {
    HttpProbe visitor = probe();
    for (int i = 0; i < kWarmUps; ++i) {
        for (const SizedConversation& conversation : parts_.subject.seeded.conversations) {
            CO_TRY_VOID(co_await open(visitor, conversation.id, nullptr));
            CO_TRY_VOID(co_await interact(visitor, kOwner, conversation.id));
        }
        for (std::size_t who = 0; who <= kNeighbours; ++who) {
            CO_TRY_VOID(co_await interact(visitor, who, own_conversation(who)));
        }
    }
    co_return Status();
}

Task<Status> Workload::idle() {
    co_await net::sleep_for(std::chrono::seconds(1));
    CO_TRY(result_.idle, parts_.timeline.look());
    kept_when_idle_ = parts_.model != nullptr ? parts_.model->counts().connections_live : 0;
    CO_TRY(const double share, co_await busy_share(parts_.amount.idle_seconds));
    set("limits.idle", share * 100, fmt::format("{:.2f} % of one processor over {:.0f} s", share * 100, parts_.amount.idle_seconds));
    co_return Status();
}

Task<Status> Workload::connections() {
    constexpr int kRequests = 10;
    HttpProbe visitor = probe();
    const ModelCounts before = parts_.model != nullptr ? parts_.model->counts() : ModelCounts();
    for (int i = 0; i < kRequests; ++i) {
        CO_TRY_VOID(co_await interact(visitor, 1, own_conversation(1)));
    }
    const int requests = parts_.subject.is_ours() ? 2 * kRequests : kRequests;
    const double opened = visitor.connections_opened();
    set("lifecycle.client", opened <= 1 ? 0 : opened / requests, fmt::format("{:.0f} opened for {} requests", opened, requests));
    if (parts_.model != nullptr) {
        const ModelCounts after = parts_.model->counts();
        const auto made = static_cast<double>(after.connections_opened - before.connections_opened);
        const auto answers = static_cast<double>(after.answers - before.answers);
        set("lifecycle.model", made / std::max(answers, 1.0), fmt::format("{:.0f} opened for {:.0f} answers", made, answers));
    }
    co_return Status();
}

// `total` counts what was done when the interactions or the time are over.
Task<void> Workload::leak_loop(std::size_t who, int count, int& total, Status& outcome) {
    HttpProbe visitor = probe();
    const auto until = Clock::now() + std::chrono::duration<double>(parts_.amount.leak_seconds / 3);
    for (int i = 0; i < count && outcome && Clock::now() < until; ++i) {
        if (i % kReconnectEvery == kReconnectEvery - 1) {
            visitor.close();
        }
        const auto done = co_await interact(visitor, who, own_conversation(who));
        if (!done) {
            outcome = std::unexpected(done.error());
        }
        ++total;
    }
}

Task<Status> Workload::leaks() {
    const int third = std::max(parts_.amount.leak_interactions / 3, kLeakLoops);
    std::vector<ProcessFigures> at;
    std::vector<int> done;
    for (int part = 0; part < 3; ++part) {
        Status outcome;
        int total = 0;
        net::TaskGroup visitors(parts_.executor, "visitors");
        for (std::size_t who = 1; who <= kNeighbours; ++who) {
            visitors.spawn(leak_loop(who, third / kLeakLoops, total, outcome));
        }
        co_await visitors.join();
        CO_TRY_VOID(outcome);
        done.push_back(total);
        co_await net::sleep_for(std::chrono::milliseconds(500));
        CO_TRY(const ProcessFigures figures, parts_.timeline.look());
        at.push_back(figures);
        parts_.progress("leaks", (part + 1) / 3.0);
    }
    const double grown = above(at[2].rss_bytes, at[0].rss_bytes);
    const int between = done[1] + done[2];
    set("memory.leak",
        beyond(grown, kLeakNoise * parts_.amount.noise) / between,
        fmt::format(
            "{:.1f} MiB after {} interactions, {:.1f} MiB after {} more",
            static_cast<double>(at[0].rss_bytes) / kMib,
            done[0],
            static_cast<double>(at[2].rss_bytes) / kMib,
            between
        ));
    co_return Status();
}

Task<Status> Workload::leftovers() {
    // More connections that are kept to the model server are no leftovers.
    const auto kept = [this] {
        const std::uint64_t now = parts_.model != nullptr ? parts_.model->counts().connections_live : 0;
        return std::max(now, kept_when_idle_) - kept_when_idle_;
    };
    const std::uint64_t before = result_.idle.descriptors;
    co_await settle([&](const ProcessFigures& now) { return now.descriptors <= before + kept(); }, kSettlePatience);
    CO_TRY(const ProcessFigures now, parts_.timeline.look());
    if (!now.sees_descriptors) {
        co_return base::fail(base::Errc::forbidden, "the kernel does not show another user's descriptors; run as root");
    }
    set("lifecycle.descriptors",
        above(now.descriptors, before + kept()),
        fmt::format(
            "{} before, {} after ({} sockets, {} files); {} more connections are kept to the model server",
            before,
            now.descriptors,
            now.sockets,
            now.files,
            kept()
        ));
    co_return Status();
}

Task<Result<WorkloadResult>> Workload::run() {
    using Phase = Task<Status> (Workload::*)();
    struct Step {
        const char* name;
        Phase phase;
        std::vector<std::string_view> figures;
        bool foreign;  // can be done to a foreign server
    };
    static const std::vector<Step> kSteps{
        {"idle", &Workload::idle, {"limits.idle"}, true},
        {"lengths", &Workload::scaling,
         {"memory.churn", "memory.scaling", "lifecycle.database", "lifecycle.files", "streaming.page", "limits.cpu", "limits.time"}, false},
        {"sessions", &Workload::sessions, {"memory.session"}, false},
        {"neighbours", &Workload::neighbours, {"limits.neighbours"}, false},
        {"connections", &Workload::connections, {"lifecycle.model", "lifecycle.client"}, true},
        {"streaming", &Workload::first_text, {"streaming.first_text"}, true},
        {"slow viewers", &Workload::slow_viewers, {"streaming.slow_viewer"}, true},
        {"transfers", &Workload::transfers, {"streaming.export", "streaming.import"}, false},
        {"leaks", &Workload::leaks, {"memory.leak"}, true},
        {"clients that leave", &Workload::abandoned, {"lifecycle.abandoned", "lifecycle.sockets"}, true},
        {"what is left", &Workload::leftovers, {"lifecycle.descriptors"}, true},
    };
    parts_.timeline.begin_phase("warm-up");
    parts_.progress("warm-up", 0);
    CO_TRY_VOID(co_await warm_up());
    for (const Step& step : kSteps) {
        if (!step.foreign && !parts_.subject.is_ours()) {
            leave_out(step.figures, "not measurable from outside: the server keeps no conversations for its clients");
            continue;
        }
        parts_.timeline.begin_phase(step.name);
        parts_.progress(step.name, 0);
        const Status done = co_await (this->*step.phase)();
        if (!done) {
            const bool unknown = done.error().code == kProcessUnknown;
            leave_out(step.figures, (unknown ? "not measurable from outside: " : "could not be measured: ") + done.error().message);
        }
        leave_out(step.figures, "not measurable from outside");
    }
    co_return std::move(result_);
}

}  // namespace confab::review
