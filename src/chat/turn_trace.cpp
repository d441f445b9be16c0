#include "chat/turn_trace.hpp"

namespace confab::chat {

TurnTrace::TurnTrace(meter::Tracer& tracer, const meter::TraceContext& request)
    : tracer_(tracer), context_(request), parent_(request.span) {
    context_.span = meter::Tracer::make_span_id();
}

void TurnTrace::phase(const char* name, Time begin, Time end, Outcome outcome) {
    meter::Span span;
    span.name = name;
    span.trace = context_.trace;
    span.id = meter::Tracer::make_span_id();
    span.parent = context_.span;
    span.begin = begin;
    span.end = end;
    span.failed = outcome == Outcome::failed;
    tracer_.record(std::move(span));
}

void TurnTrace::exchange(const llm::CallTimes& times, std::optional<Time> first_token, Outcome outcome) {
    const Time now = std::chrono::steady_clock::now();
    struct Step {
        const char* name;
        std::optional<Time> end;
    };
    const Step steps[] = {
        {"queue", times.granted}, {"connect", times.connected}, {"first_token", first_token}, {"stream", now}
    };
    Time begin = times.begun;
    for (const Step& step : steps) {
        const bool last = !step.end || step.end == now;  // what was not reached ends with the exchange
        phase(step.name, begin, step.end.value_or(now), last ? outcome : Outcome::good);
        if (last) {
            return;
        }
        begin = *step.end;
    }
}

void TurnTrace::close(Outcome outcome, std::vector<meter::SpanAttribute> attributes) {
    meter::Span span;
    span.name = "turn";
    span.trace = context_.trace;
    span.id = context_.span;
    span.parent = parent_;
    span.begin = begin_;
    span.end = std::chrono::steady_clock::now();
    span.failed = outcome == Outcome::failed;
    span.attributes = std::move(attributes);
    tracer_.record(std::move(span));
}

std::shared_ptr<TurnTrace> begin_turn_trace(meter::Tracer* tracer, const std::optional<meter::TraceContext>& request) {
    return tracer != nullptr && request && request->sampled ? std::make_shared<TurnTrace>(*tracer, *request) : nullptr;
}

}  // namespace confab::chat
