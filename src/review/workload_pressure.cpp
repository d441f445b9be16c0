// The memory limit: a server that is started within one, and more visitors than fit.
#include <fmt/format.h>

#include "review/samples.hpp"
#include "review/workload.hpp"

namespace confab::review {

namespace {

using net::Task;

constexpr std::chrono::seconds kPressurePatience{45};
constexpr int kVisitorsMin = 16;
constexpr int kVisitorsMax = 400;
constexpr int kBytesOfMessage = 400;  // of the seeded ones, in the mean

class Pressure {
public:
    Pressure(net::Executor executor, const Subject& subject, int visitors)
        : executor_(executor), subject_(subject), to_come_(visitors), visitors_(visitors) {}

    Task<PressureOutcome> run() {
        net::TaskGroup tasks(executor_, "visitors");
        for (int i = 0; i < visitors_; ++i) {
            tasks.spawn(visit());
        }
        for (std::size_t who = 1; who <= kNeighbours; ++who) {
            tasks.spawn(ask(who));
        }
        co_await tasks.join();
        co_return std::move(outcome_);
    }

private:
    // Opens the longest conversation, and stays until everybody has seen it.
    Task<void> visit() {
        HttpProbe probe(executor_, subject_.endpoint);
        Ask request = subject_.open_request(subject_.seeded.people[kOwner], subject_.seeded.conversations.back().id);
        count(co_await probe.ask(std::move(request), kPressurePatience), false);
        --to_come_;
        while (to_come_ > 0) {
            co_await net::sleep_for(std::chrono::milliseconds(50));
        }
    }

    Task<void> ask(std::size_t who) {
        const Person& person = subject_.seeded.people[who];
        HttpProbe probe(executor_, subject_.endpoint);
        int asked = 0;
        while (to_come_ > 0 || asked == 0) {
            ++asked;
            const Script script;
            Ask request = subject_.turn_request(person, person.conversation.id, script);
            const auto heard = co_await probe.ask(std::move(request), kPressurePatience);
            count(heard, true);
            if (!heard) {
                co_return;
            }
            co_await net::sleep_for(std::chrono::milliseconds(50));
        }
    }

    void count(const base::Result<Heard>& heard, bool wants_text) {
        if (heard && (wants_text ? Subject::is_answer(*heard) : heard->ok())) {
            ++outcome_.served;
        } else if (heard && (heard->status == 429 || heard->status == 503)) {
            ++(heard->retry_after ? outcome_.refused : outcome_.refused_without_hint);
        } else {
            ++outcome_.failed;
            if (outcome_.first_failure.empty()) {
                outcome_.first_failure = heard ? fmt::format("status {}", heard->status) : heard.error().message;
            }
        }
    }

    net::Executor executor_;
    const Subject& subject_;
    int to_come_;
    const int visitors_;
    PressureOutcome outcome_;
};

}  // namespace

int pressing_visitors(std::uint64_t limit_bytes, std::int64_t messages) {
    const double history = static_cast<double>(messages) * kBytesOfMessage;
    return std::clamp(static_cast<int>(2 * static_cast<double>(limit_bytes) / history), kVisitorsMin, kVisitorsMax);
}

Task<PressureOutcome> press(net::Executor executor, const Subject& subject, int visitors) {
    Pressure pressure(executor, subject, visitors);
    co_return co_await pressure.run();
}

Figure judge_pressure(const PressureOutcome& outcome, const MemoryLimit& limit, int visitors, const std::string& ending) {
    Figure figure;
    figure.evidence = fmt::format(
        "{} visitors within {:.0f} MiB ({}): {} requests served, {} refused with Retry-After, {} without, {} failed",
        visitors,
        static_cast<double>(limit.bytes()) / kMib,
        limit.kind(),
        outcome.served,
        outcome.refused,
        outcome.refused_without_hint,
        outcome.failed
    );
    if (!outcome.first_failure.empty()) {
        figure.evidence += fmt::format(" (first: {})", outcome.first_failure);
    }
    if (!ending.empty()) {
        figure.value = 10;
        figure.evidence += fmt::format("; the server {}", ending);
        if (const auto kills = limit.oom_kills(); kills > 0) {
            figure.evidence += fmt::format(", ended by the kernel for its memory limit ({} time(s))", kills);
        }
    } else {
        figure.value = outcome.failed > 0 ? 5 : outcome.refused_without_hint > 0 ? 2 : 0;
    }
    return figure;
}

}  // namespace confab::review
