// The meters of memory: how full it is, what is given up because of that, and what leases hold.
#pragma once

#include "meter/byte_budget.hpp"
#include "meter/meter_visitor.hpp"
#include "meter/pressure.hpp"

namespace confab::meter {

void visit_pressure(MeterVisitor& visitor, const Pressure& pressure);
void visit_budget(MeterVisitor& visitor, const ByteBudget& budget);

}  // namespace confab::meter
