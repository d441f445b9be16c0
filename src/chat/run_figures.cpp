#include "chat/run_figures.hpp"

namespace confab::chat {

void measure_run(const Run& run, meter::RunCounters& counters) {
    counters.answer_bytes.observe(run.log_bytes());
    if (const auto timing = run.timing()) {
        counters.first_token_us.observe(static_cast<std::uint64_t>(timing->first_token_ms) * 1'000);
        counters.duration_us.observe(static_cast<std::uint64_t>(timing->duration_ms) * 1'000);
    }
}

std::string traceparent_of(const Run& run, const std::optional<meter::TraceContext>& request) {
    if (run.origin().trace) {
        return meter::render_traceparent(run.origin().trace->context());
    }
    return request ? meter::render_traceparent(*request) : std::string();
}

void trace_exchange(const Run& run, const llm::Completion& completion, const base::Result<llm::Outcome>& outcome) {
    const auto times = completion.times();
    if (run.origin().trace && times) {
        const bool good = outcome && !outcome->fault();
        run.origin().trace->exchange(
            *times, run.first_token_at(), good ? TurnTrace::Outcome::good : TurnTrace::Outcome::failed
        );
    }
}

void trace_end(const Run& run, TurnTrace::Time commit_begun, const base::Result<llm::Outcome>& outcome) {
    if (!run.origin().trace) {
        return;
    }
    TurnTrace& trace = *run.origin().trace;
    if (run.origin().persistent) {
        trace.phase("finish", commit_begun, std::chrono::steady_clock::now());
    }
    std::vector<meter::SpanAttribute> attributes;
    attributes.push_back({"confab.response_id", run.facts().id.str()});
    attributes.push_back({"confab.status", std::string(to_string(run.end().status))});
    if (outcome && outcome->usage) {
        attributes.push_back({"gen_ai.usage.input_tokens", outcome->usage->input_tokens});
        attributes.push_back({"gen_ai.usage.output_tokens", outcome->usage->output_tokens});
    }
    const bool failed = run.end().status == store::RunStatus::failed;
    trace.close(failed ? TurnTrace::Outcome::failed : TurnTrace::Outcome::good, std::move(attributes));
}

}  // namespace confab::chat
