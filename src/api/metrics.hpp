// Every meter of the server, and two ways to show them: Prometheus' text format and JSON. docs/metrics.md lists them.
#pragma once

#include <functional>
#include <string>

#include "base/json.hpp"
#include "llm/upstream.hpp"
#include "meter/byte_budget.hpp"
#include "meter/title_counters.hpp"
#include "meter/trace.hpp"
#include "meter/visit_counters.hpp"
#include "meter/visit_pressure.hpp"

namespace confab::api {

// Where the meters are read. Any thread may do so.
struct MeterSources {
    const meter::Counters& counters;
    const meter::ByteBudget& budget;
    const meter::Pressure& pressure;
    const meter::TitleCounters& titles;
    const llm::Upstreams& upstreams;
    const meter::Tracer& tracer;
    std::int64_t started_at = 0;  // Unix seconds
    std::function<meter::QueueDepths()> queues;
};

void visit_meters(const MeterSources& sources, meter::MeterVisitor& visitor);

std::string render_metrics(const MeterSources& sources);

// One object: a number for each meter; an object by label value for meters with labels; {"bounds","counts","sum"} for
// histograms, in the unit that the name says.
void render_meters(base::JsonWriter& out, const MeterSources& sources);

}  // namespace confab::api
