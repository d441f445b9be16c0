// Prices: what tokens cost, as the administrator says. One table for the process; any shard may ask.
//
// An answer's cost is fixed when it ends, by the prices of that moment: what was spent does not change with the table.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/task.hpp"
#include "store/store.hpp"

namespace confab::chat {

inline constexpr std::size_t kPricesMax = 500;
inline constexpr std::int64_t kPriceMax = 1'000'000'000'000;  // millionths: a million of the currency for a million tokens
inline constexpr std::size_t kCurrencyBytesMax = 8;
inline constexpr std::string_view kCurrencyDefault = "USD";
inline constexpr std::string_view kSettingPrices = "prices";

// In millionths of the currency for a million tokens.
struct Price {
    std::string model;  // a name, or a pattern with '*'; the first that fits counts
    std::int64_t input = 0;
    std::int64_t cached_input = 0;
    std::int64_t output = 0;
};

struct PriceTable {
    std::string currency{kCurrencyDefault};
    std::vector<Price> prices;

    // Null: the model has no price, and costs nothing.
    const Price* find(std::string_view model) const;
};

using PriceTablePtr = std::shared_ptr<const PriceTable>;

// Billionths of the currency, rounded down.
std::int64_t cost_of(const Price& price, const store::UsageCount& taken);

class Prices {
public:
    Prices() : table_(std::make_shared<const PriceTable>()) {}

    PriceTablePtr table() const { return table_.load(); }

    // Sets `taken.cost`.
    void put_cost(std::string_view model, store::UsageCount& taken) const;

    // At the start.
    net::Task<base::Status> load(store::SettingStore& store);
    net::Task<base::Status> replace(store::SettingStore& store, PriceTable table);

private:
    std::atomic<PriceTablePtr> table_;
};

}  // namespace confab::chat
