// What a turn was in figures: for the meters, and for its trace when it is sampled. Called once for each turn or exchange,
// never for a token.
#pragma once

#include <string>

#include "chat/run.hpp"
#include "llm/completion.hpp"
#include "meter/counters.hpp"

namespace confab::chat {

// Of a run that is closed.
void measure_run(const Run& run, meter::RunCounters& counters);

// The `traceparent` for the model server: beneath the turn, else beneath the request; empty when tracing is off.
std::string traceparent_of(const Run& run, const std::optional<meter::TraceContext>& request);

// One exchange with a model server is over.
void trace_exchange(const Run& run, const llm::Completion& completion, const base::Result<llm::Outcome>& outcome);

// The run is over; its end was being committed from `commit_begun` on.
void trace_end(const Run& run, TurnTrace::Time commit_begun, const base::Result<llm::Outcome>& outcome);

}  // namespace confab::chat
