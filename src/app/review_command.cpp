#include "app/review_command.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "app/complain.hpp"
#include "app/output_file.hpp"
#include "base/log.hpp"
#include "net/task.hpp"
#include "review/as_reviewed.hpp"
#include "review/render_html.hpp"
#include "review/render_json.hpp"
#include "review/render_markdown.hpp"
#include "review/review.hpp"

namespace confab::app {

namespace {

using base::Result;
using base::Status;

constexpr int kScoreAboveMaximum = 3;
constexpr std::int64_t kLengthMax = 10'000'000;
constexpr std::size_t kLengthsMax = 8;
constexpr std::uint64_t kMemoryLimitMibMin = 32;

// What the review is at: on a terminal a line that changes, else a line for each phase.
class ProgressLine {
public:
    void show(const std::string& phase, double share) {
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
        if (terminal_) {
            const std::string done = share > 0 ? fmt::format(" {:.0f} %", share * 100) : "";
            fmt::print(stderr, "\r\x1b[K[{:4.0f} s] {}{}", seconds, phase, done);
            std::fflush(stderr);
        } else if (phase != last_) {
            fmt::print(stderr, "[{:4.0f} s] {}\n", seconds, phase);
        }
        last_ = phase;
    }

    void end() const {
        if (terminal_) {
            fmt::print(stderr, "\r\x1b[K");
        }
    }

private:
    const bool terminal_ = ::isatty(STDERR_FILENO) != 0;
    const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    std::string last_;
};

std::string own_program() {
    std::error_code ec;
    return std::filesystem::read_symlink("/proc/self/exe", ec).string();
}

Result<std::vector<pid_t>> find_processes(const ReviewFlags& flags) {
    const review::ProcFolder proc;
    std::vector<pid_t> pids(flags.pids.begin(), flags.pids.end());
    if (!flags.process.empty()) {
        TRY(pids, proc.find(flags.process));
        std::erase(pids, ::getpid());
    } else if (!flags.cgroup.empty()) {
        const review::CgroupFolder group(flags.cgroup);
        TRY_VOID(group.read());
        TRY(pids, group.processes());
    }
    for (const pid_t pid : pids) {
        TRY_VOID(proc.read(pid));
    }
    return pids;
}

Result<review::TargetOptions> read_target(const ReviewFlags& flags) {
    review::TargetOptions target;
    TRY(target.endpoint, review::parse_endpoint(flags.target));
    TRY(target.pids, find_processes(flags));
    target.url = flags.target;
    target.model = flags.model;
    target.cgroup = flags.cgroup;
    const char* key = std::getenv("CONFAB_REVIEW_KEY");
    target.key = key != nullptr ? key : "";
    return target;
}

review::Amount quick_amount() {
    review::Amount amount;
    amount.rounds = 2;
    amount.opens = 6;
    amount.interactions = 4;
    amount.block_seconds = 3;
    amount.leak_interactions = 240;
    amount.leak_seconds = 30;
    amount.idle_seconds = 2;
    amount.neighbour_seconds = 2.5;
    amount.paced_answers = 1;
    return amount;
}

Result<review::ReviewOptions> read_options(const ReviewFlags& flags, const std::string& version) {
    review::ReviewOptions options;
    options.program = own_program();
    options.version = version;
    options.as_reviewed = flags.as_reviewed;
    options.memory_limit_bytes = flags.memory_limit_mib * 1024 * 1024;
    options.scratch_parent = flags.scratch.empty() ? std::filesystem::temp_directory_path().string() : flags.scratch;
    if (flags.quick) {
        options.amount_name = "quick";
        options.amount = quick_amount();
        options.lengths = {100, 1'000, 10'000};
    } else if (flags.thorough) {
        options.amount_name = "long";
        options.lengths.push_back(1'000'000);
    }
    if (!flags.lengths.empty()) {
        options.lengths = flags.lengths;
        std::ranges::sort(options.lengths);
        const bool sound = std::ranges::adjacent_find(options.lengths) == options.lengths.end();
        if (!sound || options.lengths.size() < 2 || options.lengths.size() > kLengthsMax || options.lengths.front() < 1 ||
            options.lengths.back() > kLengthMax) {
            return base::invalid("lengths", "--lengths wants 2 to 8 different numbers of messages, 1 to 10,000,000.");
        }
    }
    if (flags.memory_limit_mib < kMemoryLimitMibMin) {
        return base::invalid("memory_limit", "--memory-limit must be at least 32 MiB.");
    }
    if (!flags.target.empty()) {
        TRY(options.target, read_target(flags));
    }
    return options;
}

Result<review::Report> make_report(review::ReviewOptions options) {
    net::asio::io_context loop{1};
    ProgressLine progress;
    std::optional<Result<review::Report>> report;
    auto show = [&progress](const std::string& phase, double share) { progress.show(phase, share); };
    net::asio::co_spawn(
        loop,
        review::review(loop.get_executor(), std::move(options), std::move(show)),
        [&](std::exception_ptr failure, Result<review::Report> made) {
            if (failure) {
                std::rethrow_exception(failure);
            }
            report = std::move(made);
        }
    );
    loop.run();
    progress.end();
    return *std::move(report);
}

// The files of the report, opened before the review begins: what cannot be written is told before, not after it.
class ReportFiles {
public:
    Status open(const ReviewFlags& flags) {
        const bool alone = flags.markdown.empty() && flags.json.empty() && flags.html.empty();
        TRY_VOID(add(alone ? "-" : flags.markdown, review::render_markdown));
        TRY_VOID(add(flags.json, review::render_json));
        return add(flags.html, review::render_html);
    }

    Status write(const review::Report& report) {
        for (const auto& [file, render] : files_) {
            TRY_VOID(file->write(render(report)));
            TRY_VOID(file->keep());
        }
        return {};
    }

private:
    using Render = std::string (*)(const review::Report&);

    Status add(const std::string& path, Render render) {
        if (!path.empty()) {
            TRY(OutputFile file, OutputFile::open(path));
            files_.emplace_back(std::make_unique<OutputFile>(std::move(file)), render);
        }
        return {};
    }

    std::vector<std::pair<std::unique_ptr<OutputFile>, Render>> files_;
};

int run_review(const ReviewFlags& flags, const std::string& version) {
    base::init_log("error");
    auto options = read_options(flags, version);
    if (!options) {
        return complain(options.error());
    }
    ReportFiles files;
    if (const auto opened = files.open(flags); !opened) {
        return complain(opened.error());
    }
    const auto report = make_report(*std::move(options));
    if (!report) {
        return complain(report.error());
    }
    if (const auto written = files.write(*report); !written) {
        return complain(written.error());
    }
    for (const review::SubjectReport& subject : report->subjects) {
        fmt::print(stderr, "{}: {} of 10\n", subject.name, review::show_score(review::overall_score(subject.figures)));
    }
    const auto overall = review::overall_score(report->subjects.front().figures);
    if (!overall) {
        return complain(base::fail(base::Errc::internal, "Nothing could be measured.").error());
    }
    if (*overall > flags.max_score) {
        fmt::print(stderr, "confab: The score {:.1f} is above --max-score {}.\n", *overall, flags.max_score);
        return kScoreAboveMaximum;
    }
    return 0;
}

void announce(const std::string& line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
}

void add_what(CLI::App& command, ReviewFlags& flags) {
    auto* quick = command.add_flag("--quick", flags.quick, "less of everything, up to 10,000 messages: about half a minute");
    command.add_flag("--long", flags.thorough, "also a conversation of 1,000,000 messages: some minutes more")->excludes(quick);
    command.add_option("--lengths", flags.lengths, "lengths of the conversations in messages, default 100,10000,100000")
        ->delimiter(',')
        ->type_name("N,N,...");
    command.add_flag(
        "--as-reviewed", flags.as_reviewed, "also review a server in the way of the application whose review started Confab"
    );
    command.add_option("--memory-limit", flags.memory_limit_mib, "MiB that the server must live within")
        ->type_name("MIB")
        ->capture_default_str();
    command.add_option("--scratch", flags.scratch, "where the scratch directory is made, default the system's for temporary files")
        ->type_name("DIR")
        ->check(CLI::ExistingDirectory);
}

void add_target(CLI::App& command, ReviewFlags& flags) {
    auto* target = command
                       .add_option(
                           "--target",
                           flags.target,
                           "review this OpenAI-compatible chat server instead, from outside; a key comes from CONFAB_REVIEW_KEY"
                       )
                       ->type_name("URL");
    auto* pid = command.add_option("--pid", flags.pids, "its process; may be given several times")
                    ->type_name("PID")
                    ->needs(target)
                    ->check(CLI::PositiveNumber);
    auto* process =
        command.add_option("--process", flags.process, "its processes, by their name")->type_name("NAME")->needs(target)->excludes(pid);
    command.add_option("--cgroup", flags.cgroup, "its control group, whose processes are looked at")
        ->type_name("DIR")
        ->needs(target)
        ->excludes(pid)
        ->excludes(process);
    command.add_option("--model", flags.model, "model to ask, default the first that the server lists")->type_name("NAME")->needs(target);
    for (const char* own : {"--as-reviewed", "--lengths", "--long", "--memory-limit"}) {
        target->excludes(command.get_option(own));
    }
}

void add_output(CLI::App& command, ReviewFlags& flags) {
    command.add_option("--markdown", flags.markdown, "write the report as Markdown; '-', standard output, when no file is named")
        ->type_name("FILE");
    command.add_option("--json", flags.json, "write it as JSON")->type_name("FILE");
    command.add_option("--html", flags.html, "write it as one HTML file with plots")->type_name("FILE");
    command.add_option("--max-score", flags.max_score, "end with status 3 when the overall score is above")
        ->type_name("0..10")
        ->check(CLI::Range(0.0, 10.0));
}

}  // namespace

void add_review_command(
    CLI::App& app,
    ReviewFlags& flags,
    const std::string& version,
    const std::function<void(std::function<int()>)>& choose
) {
    auto& command = *app.add_subcommand("review", "Measure what a chat server does with its resources, and score it");
    add_what(command, flags);
    add_target(command, flags);
    add_output(command, flags);
    command.footer(
        "Starts a server on a scratch directory with a scripted model behind it, works with it as visitors would, and measures from\n"
        "outside: memory, descriptors, connections, processor time, streaming, behaviour at a memory limit. Scores go from 0 to 10,\n"
        "higher is worse; the rules are in docs/review.md and in every report.\n"
        "Examples:\n"
        "  confab review --html review.html\n"
        "  confab review --as-reviewed --html compared.html\n"
        "  confab review --quick --max-score 1 --json review.json     # in a pipeline\n"
        "  confab review --target http://127.0.0.1:8000 --process llama-server"
    );
    command.callback([&flags, version, choose] { choose([&flags, version] { return run_review(flags, version); }); });

    struct Served {
        review::AsReviewedOptions options;
    };
    auto served = std::make_shared<Served>();
    auto& serve = *app.add_subcommand("serve-as-reviewed", "The server that 'review --as-reviewed' compares with")->group("");
    serve.add_option("--data-dir", served->options.data_dir)->required();
    serve.add_option("--upstream-url", served->options.model_url)->required();
    serve.callback([served, choose] {
        choose([served] {
            base::init_log("error");
            const auto done = review::serve_as_reviewed(served->options, announce);
            return done ? 0 : complain(done.error());
        });
    });
}

}  // namespace confab::app
