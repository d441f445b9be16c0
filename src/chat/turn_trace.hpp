// TurnTrace: the phases of one turn as spans: begin_run (commit of the question), queue (the line before the model
// server), connect, first_token, stream, finish (commit of the answer). Only turns that are sampled have one.
//
// A question without a history goes to the model server while it is being committed, so begin_run may overlap what
// follows it.
#pragma once

#include <memory>

#include "llm/upstream_call.hpp"
#include "meter/trace.hpp"

namespace confab::chat {

class TurnTrace {
public:
    using Time = meter::Span::Time;

    // `request` is the context of the request that asked for the turn.
    TurnTrace(meter::Tracer& tracer, const meter::TraceContext& request);

    // The context for the model server.
    const meter::TraceContext& context() const { return context_; }

    enum class Outcome : std::uint8_t { good, failed };

    void phase(const char* name, Time begin, Time end, Outcome outcome = Outcome::good);
    // What one exchange with a model server took: as far as it came.
    void exchange(const llm::CallTimes& times, std::optional<Time> first_token, Outcome outcome);
    // The turn is over: its own span. `attributes` hold no content.
    void close(Outcome outcome, std::vector<meter::SpanAttribute> attributes);

private:
    meter::Tracer& tracer_;
    meter::TraceContext context_;
    meter::SpanId parent_;
    Time begin_ = std::chrono::steady_clock::now();
};

// Null unless the turn is sampled.
std::shared_ptr<TurnTrace> begin_turn_trace(meter::Tracer* tracer, const std::optional<meter::TraceContext>& request);

}  // namespace confab::chat
