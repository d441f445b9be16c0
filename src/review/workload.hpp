// Workload: what a review does to a server, in phases, and the figures that come of it.
//
// One thread, one loop. Every phase measures by ratios within itself, so that a slow or a busy machine changes both
// sides. A phase that fails leaves its figures without a value and with the reason; the others go on.
#pragma once

#include <functional>

#include "review/memory_limit.hpp"
#include "review/rules.hpp"
#include "review/subject.hpp"
#include "review/timeline.hpp"

namespace confab::review {

// How much of everything.
struct Amount {
    int rounds = 3;            // over all lengths, in turn
    int opens = 12;            // of each length and round
    int interactions = 8;      // the same
    double block_seconds = 6;  // a block ends early when it takes longer
    int leak_interactions = 2'000;
    double leak_seconds = 120;  // fewer interactions when it takes longer
    double idle_seconds = 5;
    double neighbour_seconds = 5;
    int paced_answers = 3;
    double noise = 1;  // times what the rules allow memory to move by itself; more for an instrumented program
    std::int64_t transfer_messages_max = 100'000;  // the longest conversation that is downloaded and imported
};

// What was seen at one length of conversation; for the plots.
struct LengthRow {
    std::int64_t messages = 0;
    double open_ms = 0;         // median
    double interaction_ms = 0;  // median
    double cpu_ms = 0;          // of the server, per interaction
    double touched_kib = 0;     // memory touched anew, per interaction
    double peak_mib = 0;        // above what it was before
    std::uint64_t open_bytes = 0;
};

struct WorkloadResult {
    Figures figures;
    std::vector<LengthRow> lengths;
    ProcessFigures idle;             // before the first visitor
    std::vector<std::string> notes;  // what the reader should know
};

using Progress = std::function<void(const std::string& phase, double share)>;

class Workload {
public:
    // `model` is null when the subject's model server is not ours, `watch` when its files are not. All of them outlive
    // this.
    struct Parts {
        net::Executor executor;
        const Subject& subject;
        Timeline& timeline;
        ScriptedModel* model;
        FileWatch* watch;
        Amount amount;
        Progress progress;
    };

    explicit Workload(Parts parts) : parts_(std::move(parts)) {}

    // All phases but the memory limit. `unavailable` when the server cannot be used at all.
    net::Task<base::Result<WorkloadResult>> run();

private:
    using Status = base::Status;

    struct Block;  // measurements of one length

    // ---- phases; workload.cpp, workload_scaling.cpp, workload_streaming.cpp
    net::Task<Status> warm_up();
    net::Task<Status> idle();
    net::Task<Status> scaling();
    net::Task<Status> sessions();
    net::Task<Status> neighbours();
    net::Task<Status> connections();
    net::Task<Status> first_text();
    net::Task<Status> slow_viewers();
    net::Task<Status> transfers();
    net::Task<Status> leaks();
    net::Task<Status> abandoned();
    net::Task<Status> leftovers();

    // ---- steps
    net::Task<base::Result<double>> open(HttpProbe& probe, const std::string& conversation, std::uint64_t* bytes);
    net::Task<base::Result<double>> interact(HttpProbe& probe, std::size_t person, std::string conversation);
    net::Task<Status> measure_block(HttpProbe& probe, Block& block);
    void conclude_scaling(const std::vector<Block>& blocks);
    net::Task<void> disturb(std::string conversation, const bool& over);
    net::Task<base::Result<double>> neighbour_ms(std::string conversation);
    net::Task<void> leak_loop(std::size_t person, int count, int& total, base::Status& outcome);
    net::Task<base::Result<std::string>> download(const std::string& conversation, const std::string& file);
    net::Task<base::Status> import(const std::string& file);
    net::Task<void> settle(std::function<bool(const ProcessFigures&)> settled, std::chrono::milliseconds patience);
    net::Task<base::Result<double>> busy_share(double seconds);

    HttpProbe probe() const { return HttpProbe(parts_.executor, parts_.subject.endpoint); }

    const Person& person(std::size_t index) const { return parts_.subject.seeded.people[index]; }

    // What a person of ours talks in; a foreign server gets the empty id.
    std::string own_conversation(std::size_t index) const { return person(index).conversation.id; }

    void set(std::string_view id, double value, std::string evidence);
    // For all of these that have no figure yet.
    void leave_out(const std::vector<std::string_view>& ids, const std::string& reason);

    Parts parts_;
    WorkloadResult result_;
    std::uint64_t kept_when_idle_ = 0;  // connections to the model server
};

// ---- the memory limit; workload_pressure.cpp

struct PressureOutcome {
    int served = 0;
    int refused = 0;              // 429 or 503 with Retry-After
    int refused_without_hint = 0;  // without
    int failed = 0;
    std::string first_failure = {};
};

// So many visitors open the longest conversation at once and stay, while others ask.
net::Task<PressureOutcome> press(net::Executor executor, const Subject& subject, int visitors);

// How many visitors that takes, for histories of this many messages: twice the limit, but 16 to 400.
int pressing_visitors(std::uint64_t limit_bytes, std::int64_t messages);

// `ending` is empty when the server is still there.
Figure judge_pressure(const PressureOutcome& outcome, const MemoryLimit& limit, int visitors, const std::string& ending);

}  // namespace confab::review
