#include "meter/visit_pressure.hpp"

namespace confab::meter {

void visit_pressure(MeterVisitor& visit, const Pressure& pressure) {
    visit.gauge(
        "confab_memory_usage_bytes",
        "Memory in use that the system cannot take back.",
        static_cast<double>(pressure.usage_bytes())
    );
    visit.gauge(
        "confab_memory_limit_bytes", "Memory that may be in use.", static_cast<double>(pressure.limit_bytes())
    );
    for (const ActionRule& rule : kActionRules) {
        visit.value(
            MeterKind::gauge,
            "confab_pressure_active",
            "1 while this is done to save memory.",
            pressure.active(rule.action) ? 1 : 0,
            {"action", rule.name}
        );
    }
    for (const ActionRule& rule : kActionRules) {
        visit.value(
            MeterKind::counter,
            "confab_pressure_begun_total",
            "Times that this began.",
            static_cast<double>(pressure.begun(rule.action)),
            {"action", rule.name}
        );
    }
    for (std::size_t i = 0; i < kSheds; ++i) {
        const auto shed = static_cast<Shed>(i);
        visit.value(
            MeterKind::counter,
            "confab_shed_total",
            "What was refused, put off or ended for memory or a quota.",
            static_cast<double>(pressure.counted(shed)),
            {"what", name_of(shed)}
        );
    }
}

void visit_budget(MeterVisitor& visit, const ByteBudget& budget) {
    const auto bytes = [](std::uint64_t n) { return static_cast<double>(n); };
    visit.gauge("confab_budget_limit_bytes", "Bytes that buffers may hold at once.", bytes(budget.bytes_max()));
    visit.gauge("confab_budget_leased_bytes", "Bytes that buffers hold now.", bytes(budget.bytes_leased()));
    for (std::size_t i = 0; i < kPurposes; ++i) {
        const auto purpose = static_cast<Purpose>(i);
        visit.value(
            MeterKind::gauge,
            "confab_budget_purpose_bytes",
            "Bytes that buffers hold now, by what for.",
            bytes(budget.bytes_leased(purpose)),
            {"purpose", name_of(purpose)}
        );
    }
    const auto heaviest = budget.heaviest_users(1);
    visit.gauge("confab_budget_users", "Users who hold anything now.", bytes(budget.active_users()));
    visit.gauge("confab_budget_fair_share_bytes", "What each of them would hold if all held the same.", bytes(budget.fair_share()));
    visit.gauge(
        "confab_budget_heaviest_user_bytes",
        "What the user holds who holds most.",
        bytes(heaviest.empty() ? 0 : heaviest.front().bytes)
    );
}

}  // namespace confab::meter
