// Allowances: what each person, and each key, may use, for the process. It reads the limits and the month's figures from the
// store when it first meets somebody, and counts in memory from then on.
//
// Asked when a credential is looked up in the store, that is every few seconds for each shard and credential, not for
// each request: the authenticator remembers what it was told.
#pragma once

#include <atomic>
#include <unordered_map>

#include "meter/allowance.hpp"
#include "meter/keyed_table.hpp"
#include "net/task.hpp"
#include "store/usage_store.hpp"

namespace confab::auth {

struct Entitled {
    meter::AllowancePtr person;
    meter::AllowancePtr key;  // null without a key
};

class Allowances {
public:
    explicit Allowances(store::UsageStore& store) : store_(store) {}

    // May be called from any shard.
    net::Task<base::Result<Entitled>> of(store::UserNo user, std::optional<store::KeyId> key);

    // Limits were changed: whoever is asked about next gets the new ones.
    void forget_limits() { generation_.fetch_add(1, std::memory_order_acq_rel); }

private:
    struct Known {
        meter::AllowancePtr allowance;
        std::uint64_t generation = 0;  // of its limits
    };

    store::UsageStore& store_;
    std::atomic<std::uint64_t> generation_{1};
    meter::KeyedTable<std::int64_t, Known> people_;
    meter::KeyedTable<store::KeyId, Known, base::IdHash> keys_;
};

}  // namespace confab::auth
