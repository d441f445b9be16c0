#include "auth/allowances.hpp"

namespace confab::auth {

namespace {

meter::MonthSum month_sum(const store::UsageSum& sum) {
    return {sum.requests, sum.tokens()};
}

}  // namespace

// Two shards may read at the same time; the first one's figures of the month stand, for requests count on them already.
net::Task<base::Result<Entitled>> Allowances::of(store::UserNo user, std::optional<store::KeyId> key) {
    const std::uint64_t generation = generation_.load(std::memory_order_acquire);
    const auto user_no = static_cast<std::int64_t>(user);
    const auto person = people_.find(user_no);
    std::optional<Known> of_key;
    if (key) {
        of_key = keys_.find(*key);
    }
    const auto is_current = [generation](const std::optional<Known>& known) {
        return known && known->generation == generation;
    };
    if (is_current(person) && (!key || is_current(of_key))) {
        co_return Entitled{person->allowance, key ? of_key->allowance : nullptr};
    }
    const std::int64_t month = meter::moment_now().month;
    CO_TRY(const auto found, co_await store_.find_entitlement(user, key, month));
    const auto adopt = [&](const meter::LimitValues& limits, const store::UsageSum& used) {
        return [&limits, &used, month, generation](Known& known) {
            if (!known.allowance) {
                known.allowance = std::make_shared<meter::Allowance>(limits, month, month_sum(used));
            } else if (known.generation < generation) {
                known.allowance->set_limits(limits);
            }
            known.generation = std::max(known.generation, generation);
        };
    };
    const auto is_idle = [](const Known& known) { return known.allowance.use_count() == 1; };
    Entitled entitled;
    entitled.person = people_.update(user_no, adopt(found.person, found.person_used), is_idle).allowance;
    if (key) {
        entitled.key = keys_.update(*key, adopt(found.key, found.key_used), is_idle).allowance;
    }
    co_return entitled;
}

}  // namespace confab::auth
