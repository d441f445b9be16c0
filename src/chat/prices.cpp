#include "chat/prices.hpp"

#include <spdlog/spdlog.h>

#include "base/json.hpp"
#include "base/text.hpp"

namespace confab::chat {

namespace {

std::string render_table(const PriceTable& table) {
    std::string text;
    base::JsonWriter out(text);
    out.begin_object();
    out.member("currency", table.currency);
    out.key("prices");
    out.begin_array();
    for (const Price& price : table.prices) {
        out.begin_object();
        out.member("model", price.model);
        out.member("input", price.input);
        out.member("cached_input", price.cached_input);
        out.member("output", price.output);
        out.end_object();
    }
    out.end_array();
    out.end_object();
    return text;
}

std::int64_t stored_price(const base::json::object& entry, std::string_view name) {
    const base::json::value* value = base::find(entry, name);
    return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

std::optional<PriceTable> parse_table(std::string_view text) {
    const auto value = base::parse_json(text);
    const base::json::value* rows = value && value->is_object() ? base::find(value->get_object(), "prices") : nullptr;
    if (rows == nullptr || !rows->is_array()) {
        return std::nullopt;
    }
    PriceTable table;
    table.currency = base::find_string(value->get_object(), "currency");
    for (const auto& row : rows->get_array()) {
        if (row.is_object()) {
            const auto& entry = row.get_object();
            table.prices.push_back(
                {std::string(base::find_string(entry, "model")),
                 stored_price(entry, "input"),
                 stored_price(entry, "cached_input"),
                 stored_price(entry, "output")}
            );
        }
    }
    return table;
}

}  // namespace

const Price* PriceTable::find(std::string_view model) const {
    for (const Price& price : prices) {
        if (base::fits_pattern(price.model, model)) {
            return &price;
        }
    }
    return nullptr;
}

// Millionths for a million tokens are billionths for a thousand. Rounded once, at the end: a few tokens cost little.
std::int64_t cost_of(const Price& price, const store::UsageCount& taken) {
    const auto part = [](std::int64_t tokens, std::int64_t of) {
        return static_cast<double>(tokens) * static_cast<double>(of) / 1'000.0;
    };
    const std::int64_t cached = std::min(taken.cached_tokens, taken.input_tokens);
    const double cost = part(taken.input_tokens - cached, price.input) + part(cached, price.cached_input) +
                        part(taken.output_tokens, price.output);
    constexpr double kCostMax = 9e17;
    return static_cast<std::int64_t>(std::min(cost, kCostMax));
}

void Prices::put_cost(std::string_view model, store::UsageCount& taken) const {
    const PriceTablePtr table = table_.load();
    const Price* price = table->find(model);
    taken.cost = price != nullptr ? cost_of(*price, taken) : 0;
}

net::Task<base::Status> Prices::load(store::SettingStore& store) {
    CO_TRY(const auto setting, co_await store.get_setting(std::string(kSettingPrices)));
    if (!setting) {
        co_return base::Status();
    }
    auto table = parse_table(*setting);
    if (!table) {
        spdlog::error("setting_unreadable name={}", kSettingPrices);
        co_return base::Status();
    }
    table_.store(std::make_shared<const PriceTable>(*std::move(table)));
    co_return base::Status();
}

net::Task<base::Status> Prices::replace(store::SettingStore& store, PriceTable table) {
    std::string text = render_table(table);
    CO_TRY_VOID(co_await store.put_setting(std::string(kSettingPrices), std::move(text)));
    table_.store(std::make_shared<const PriceTable>(std::move(table)));
    co_return base::Status();
}

}  // namespace confab::chat
