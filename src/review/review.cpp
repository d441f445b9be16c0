#include "review/review.hpp"

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "auth/tokens.hpp"
#include "base/json.hpp"
#include "review/child_process.hpp"
#include "review/prometheus_text.hpp"
#include "review/samples.hpp"

namespace confab::review {

namespace {

namespace fs = std::filesystem;
using base::Result;
using base::Status;
using net::Task;

constexpr std::chrono::seconds kStartPatience{60};
constexpr std::chrono::seconds kStopPatience{20};
constexpr std::chrono::seconds kAnswerPatience{30};

// Built with AddressSanitizer: every allocation is larger, and freed memory is kept for a while. Ratios still tell
// something, and the limit gets room for it.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kInstrumented = true;
#else
constexpr bool kInstrumented = false;
#endif
constexpr std::uint64_t kInstrumentedBytes = 512ULL * 1024 * 1024;
constexpr double kInstrumentedNoise = 6;

class ScratchFolder {
public:
    static Result<ScratchFolder> make(const std::string& parent) {
        std::string path = parent + "/confab-review-XXXXXX";
        if (::mkdtemp(path.data()) == nullptr) {
            return base::fail(base::Errc::internal, "Cannot make a scratch directory in " + parent + ".");
        }
        return ScratchFolder(std::move(path));
    }

    ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}

    ScratchFolder& operator=(ScratchFolder&&) = delete;

    ~ScratchFolder() {
        std::error_code ec;
        if (!path_.empty()) {
            fs::remove_all(path_, ec);
        }
    }

    const std::string& path() const { return path_; }

private:
    explicit ScratchFolder(std::string path) : path_(std::move(path)) {}

    std::string path_;
};

// Nothing of ours but what a program needs to run: no keys, no configuration.
std::vector<std::string> clean_environment(const std::string& home) {
    std::vector<std::string> env{"HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_DATA_HOME=" + home};
    for (const char* name : {"PATH", "LANG", "TMPDIR", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"}) {
        if (const char* value = std::getenv(name)) {
            env.push_back(std::string(name) + "=" + value);
        }
    }
    if (kInstrumented) {
        const char* given = std::getenv("ASAN_OPTIONS");
        env.push_back(std::string("ASAN_OPTIONS=") + (given != nullptr ? given : "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=16");
    }
    return env;
}

std::string now_utc() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[32];
    return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts));
}

std::string describe_machine() {
    utsname names{};
    ::uname(&names);
    const double memory = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
    return fmt::format(
        "{} {} ({}), {} processors, {:.1f} GiB of memory",
        names.sysname,
        names.release,
        names.machine,
        ::sysconf(_SC_NPROCESSORS_ONLN),
        memory / kMib / 1024
    );
}

Task<std::map<std::string, double>> read_metrics(net::Executor executor, Endpoint endpoint) {
    HttpProbe probe(executor, std::move(endpoint));
    Ask ask;
    ask.target = "/metrics";
    ask.keep_bytes = 1024 * 1024;
    const auto heard = co_await probe.ask(std::move(ask), kAnswerPatience);
    std::map<std::string, double> told;
    if (heard && heard->ok()) {
        told = parse_prometheus_text(heard->body);
    }
    co_return told;
}

class Reviewer {
public:
    Reviewer(net::Executor executor, ReviewOptions options, Progress progress)
        : executor_(executor), options_(std::move(options)), progress_(std::move(progress)), model_(executor) {}

    Task<Result<Report>> run() {
        const auto begin = std::chrono::steady_clock::now();
        report_.version = options_.version;
        report_.date = now_utc();
        report_.machine = describe_machine();
        report_.amount = options_.amount_name;
        model_.start();
        Status done;
        if (options_.target) {
            done = co_await review_target();
        } else {
            done = co_await review_ours();
        }
        co_await model_.close();
        CO_TRY_VOID(done);
        report_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        co_return std::move(report_);
    }

private:
    // ---- Confab, and the reviewed application's way ----

    Task<Status> review_ours() {
        if (kInstrumented) {
            options_.memory_limit_bytes += kInstrumentedBytes;
            options_.amount.noise = kInstrumentedNoise;
            report_.notes.emplace_back(
                "This program is built with AddressSanitizer: the memory that leaks, slow viewers and transfers are judged by may move six times as much by itself, "
                "and the memory limit is larger by 512 MiB."
            );
        }
        auth::init_crypto();
        CO_TRY(const ScratchFolder scratch, ScratchFolder::make(options_.scratch_parent));
        scratch_ = scratch.path();
        const std::string folder = scratch_ + "/confab";
        fs::create_directory(folder);
        std::function<void(double)> seeding = [this](double share) { progress_("writing conversations", share); };
        CO_TRY(const Seeded seeded, co_await seed(folder, options_.lengths, std::move(seeding)));
        if (options_.as_reviewed) {
            fs::create_directory(scratch_ + "/as-reviewed");
            fs::copy_file(folder + "/confab.db", scratch_ + "/as-reviewed/confab.db");
        }
        CO_TRY_VOID(co_await review_one(Subject::Kind::confab, seeded));
        if (options_.as_reviewed) {
            CO_TRY_VOID(co_await review_one(Subject::Kind::as_reviewed, seeded));
        }
        co_return Status();
    }

    Subject make_subject(Subject::Kind kind, const Seeded& seeded) const {
        Subject subject;
        subject.kind = kind;
        subject.name = kind == Subject::Kind::confab ? "Confab" : "As reviewed";
        subject.seeded = seeded;
        subject.data_dir = scratch_ + (kind == Subject::Kind::confab ? "/confab" : "/as-reviewed");
        return subject;
    }

    // Starts it and waits until it listens; notes where.
    Task<Result<std::unique_ptr<ChildProcess>>> start(Subject& subject, const MemoryLimit* limit) {
        Launch launch;
        launch.program = options_.program;
        std::string ready;
        if (subject.kind == Subject::Kind::confab) {
            launch.args = {"serve", "--listen", "127.0.0.1:0", "--data-dir", subject.data_dir, "--upstream-url", model_.base_url()};
            launch.args.insert(launch.args.end(), {"--log-level", "warn", "--drain-seconds", "2"});
            if (limit != nullptr && !limit->is_group()) {  // which it cannot see by itself
                launch.args.insert(launch.args.end(), {"--memory-mib", std::to_string(limit->bytes() / 1024 / 1024)});
            }
            ready = "Confab listens on ";
        } else {
            launch.args = {"serve-as-reviewed", "--data-dir", subject.data_dir, "--upstream-url", model_.base_url()};
            ready = "Listens on ";
        }
        launch.env = clean_environment(scratch_);
        launch.log_path = scratch_ + "/server.log";
        launch.limit = limit;
        CO_TRY(auto child, ChildProcess::start(std::move(launch)));
        CO_TRY(const std::string url, co_await child->wait_for_line(ready, kStartPatience));
        CO_TRY(subject.endpoint, parse_endpoint(url.substr(0, url.find_first_of(" \r\n"))));
        subject.pids = {child->pid()};
        co_return std::move(child);
    }

    Progress progress_of(const Subject& subject) {
        return [this, name = subject.name](const std::string& phase, double share) { progress_(name + ": " + phase, share); };
    }

    Task<Status> review_one(Subject::Kind kind, const Seeded& seeded) {
        Subject subject = make_subject(kind, seeded);
        CO_TRY(const auto child, co_await start(subject, nullptr));
        CO_TRY(FileWatch watch, FileWatch::open(subject.data_dir));
        Timeline timeline(executor_, subject.pids, &watch);
        timeline.start();
        Workload::Parts parts{executor_, subject, timeline, &model_, &watch, options_.amount, progress_of(subject)};
        Workload workload(std::move(parts));
        auto result = co_await workload.run();
        co_await timeline.stop();
        if (!result) {
            const std::string state = child->running() ? "" : " The server " + child->ending() + ".";
            co_return base::fail(
                result.error().errc, subject.name + " cannot be reviewed: " + result.error().message + "." + state + " It printed:\n" + child->log_end()
            );
        }
        SubjectReport report = make_report(subject, *std::move(result), timeline);
        if (kind == Subject::Kind::confab) {
            report.told = co_await read_metrics(executor_, subject.endpoint);
        }
        co_await child->stop(kStopPatience);
        progress_(subject.name + ": memory limit", 0);
        CO_TRY(report.figures["limits.memory"], co_await try_limit(subject));
        report_.subjects.push_back(std::move(report));
        co_return Status();
    }

    static SubjectReport make_report(const Subject& subject, WorkloadResult result, const Timeline& timeline) {
        SubjectReport report;
        report.name = subject.name;
        report.figures = std::move(result.figures);
        report.lengths = std::move(result.lengths);
        report.samples = timeline.samples();
        report.phases = timeline.phases();
        report.idle = result.idle;
        report.notes = std::move(result.notes);
        switch (subject.kind) {
            case Subject::Kind::confab: report.description = "this program, as a process of its own on scratch data"; break;
            case Subject::Kind::as_reviewed:
                report.description = "a server in the way of the application whose review started Confab, on the same data";
                break;
            case Subject::Kind::foreign: report.description = "reviewed from outside"; break;
        }
        return report;
    }

    Task<Result<Figure>> try_limit(Subject& subject) {
        const MemoryLimit limit = MemoryLimit::make(options_.memory_limit_bytes);
        if (kInstrumented && !limit.is_group()) {
            co_return Figure{std::nullopt, "could not be measured: AddressSanitizer cannot run under RLIMIT_DATA, and no control group can be made"};
        }
        auto child = co_await start(subject, &limit);
        if (!child) {
            co_return Figure{10.0, "the server does not start within its limit: " + child.error().message};
        }
        const int visitors = pressing_visitors(limit.bytes(), options_.lengths.back());
        const PressureOutcome outcome = co_await press(executor_, subject, visitors);
        const bool running = (*child)->running();
        const Figure figure = judge_pressure(outcome, limit, visitors, running ? "" : (*child)->ending());
        co_await (*child)->stop(kStopPatience);
        co_return figure;
    }

    // ---- somebody else's server ----

    Task<Status> review_target() {
        const TargetOptions& target = *options_.target;
        Subject subject;
        subject.kind = Subject::Kind::foreign;
        subject.name = target.url;
        subject.endpoint = target.endpoint;
        subject.pids = target.pids;
        subject.key = target.key;
        subject.model = target.model;
        subject.seeded.people.assign(kImporter + 1, Person{target.key, {}});
        if (subject.model.empty()) {
            CO_TRY(subject.model, co_await first_model(subject));
        }
        Timeline timeline(executor_, subject.pids, nullptr);
        timeline.start();
        const auto group = group_of(target);
        const auto before = group ? group->read() : base::not_found("");
        Workload::Parts parts{executor_, subject, timeline, nullptr, nullptr, options_.amount, progress_of(subject)};
        Workload workload(std::move(parts));
        auto result = co_await workload.run();
        co_await timeline.stop();
        CO_TRY_VOID(result);
        SubjectReport report = make_report(subject, *std::move(result), timeline);
        report.description = fmt::format("reviewed from outside, model {}", subject.model);
        report.figures["limits.memory"] = judge_group(group, before);
        report.told = co_await read_metrics(executor_, subject.endpoint);
        report_.subjects.push_back(std::move(report));
        co_return Status();
    }

    Task<Result<std::string>> first_model(const Subject& subject) {
        HttpProbe probe(executor_, subject.endpoint);
        Ask ask = subject.open_request(subject.seeded.people[kOwner], "");
        ask.keep_bytes = 1024 * 1024;
        CO_TRY(const Heard heard, co_await probe.ask(std::move(ask), kAnswerPatience));
        const auto value = base::parse_json(heard.body);
        boost::system::error_code ec;
        const auto* id = value ? value->find_pointer("/data/0/id", ec) : nullptr;
        if (id == nullptr || !id->is_string()) {
            co_return base::fail(
                base::Errc::upstream_failed,
                fmt::format("{} lists no model (status {} to /v1/models). Name one with --model.", subject.name, heard.status)
            );
        }
        co_return std::string(id->get_string());
    }

    static std::optional<CgroupFolder> group_of(const TargetOptions& target) {
        if (!target.cgroup.empty()) {
            return CgroupFolder(target.cgroup);
        }
        return target.pids.empty() ? std::nullopt : CgroupFolder::of_process(target.pids.front());
    }

    // We do not drive somebody else's server to its limit: only a kill that happened by itself counts.
    static Figure judge_group(const std::optional<CgroupFolder>& group, const Result<CgroupFigures>& before) {
        const auto after = group ? group->read() : base::not_found("");
        if (!before || !after) {
            return {std::nullopt, "not measurable from outside: no control group is known"};
        }
        if (after->oom_kills > before->oom_kills) {
            return {10.0, fmt::format("the kernel ended {} process(es) of {} for its memory limit", after->oom_kills - before->oom_kills, group->path())};
        }
        const std::string limit = after->limit_bytes ? fmt::format("of {:.0f} MiB", static_cast<double>(*after->limit_bytes) / kMib) : "without a limit";
        return {
            std::nullopt,
            fmt::format("not measurable from outside: a server that is in use is not driven to its limit; it used {:.0f} MiB {}", static_cast<double>(after->used_bytes) / kMib, limit)
        };
    }

    net::Executor executor_;
    ReviewOptions options_;
    Progress progress_;
    ScriptedModel model_;
    std::string scratch_;
    Report report_;
};

}  // namespace

Task<Result<Report>> review(net::Executor executor, ReviewOptions options, Progress progress) {
    Reviewer reviewer(executor, std::move(options), std::move(progress));
    co_return co_await reviewer.run();
}

}  // namespace confab::review
