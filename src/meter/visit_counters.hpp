// The meters of this layer: of the process, and of Counters.
#pragma once

#include "meter/meter_visitor.hpp"

namespace confab::meter {

// How many jobs wait for the threads that do what would block.
struct QueueDepths {
    std::size_t disk = 0;
    std::size_t hashing = 0;
    std::size_t imports = 0;
};

void visit_process(MeterVisitor& visitor, std::int64_t started_at);
void visit_queues(MeterVisitor& visitor, const QueueDepths& queues);
void visit_counters(MeterVisitor& visitor, const Counters& counters);

}  // namespace confab::meter
