// The counters in Prometheus' text format.
#pragma once

#include <string>

#include "llm/upstream.hpp"
#include "meter/byte_budget.hpp"
#include "meter/counters.hpp"
#include "meter/title_counters.hpp"

namespace confab::api {

std::string render_metrics(
    const meter::Counters& counters,
    const meter::ByteBudget& budget,
    const llm::Catalog& catalog,
    const meter::TitleCounters& titles
);

}  // namespace confab::api
