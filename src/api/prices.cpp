// /api/admin/prices: what tokens cost.
#include <cmath>

#include "api/routes.hpp"
#include "api/usage_json.hpp"
#include "base/text.hpp"

namespace confab::api {

namespace {

using chat::Price;
using chat::PriceTable;
using web::Access;

constexpr double kMillionths = 1e6;

Reply prices_reply(const PriceTable& table) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "prices");
    out.member("currency", table.currency);
    out.key("data");
    out.begin_array();
    for (const Price& price : table.prices) {
        out.begin_object();
        out.member("model", price.model);
        out.member("input", static_cast<double>(price.input) / kMillionths);
        out.member("cached_input", static_cast<double>(price.cached_input) / kMillionths);
        out.member("output", static_cast<double>(price.output) / kMillionths);
        out.end_object();
    }
    out.end_array();
    out.end_object();
    return web::json_reply(std::move(body));
}

// An amount for a million tokens.
Result<std::optional<std::int64_t>> parse_amount(const Fields& fields, std::string_view name) {
    TRY(const auto amount, fields.number(name, 0, static_cast<double>(chat::kPriceMax) / kMillionths));
    return amount ? std::optional(static_cast<std::int64_t>(std::llround(*amount * kMillionths))) : std::nullopt;
}

Result<Price> parse_price(const json::value& value, std::size_t index) {
    const std::string prefix = "data[" + std::to_string(index) + "]";
    if (!value.is_object()) {
        return base::invalid(prefix, "A price is an object with 'model', 'input' and 'output'.", "invalid_type");
    }
    const Fields fields(value.get_object(), prefix + ".");
    Price price;
    TRY(const auto model, fields.required_text("model", kModelBytesMax));
    price.model = base::trim(model);
    if (price.model.empty() || !base::is_utf8(price.model)) {
        return base::invalid(fields.param("model"), "A price needs the name of a model, or a pattern with '*'.");
    }
    TRY(const auto input, parse_amount(fields, "input"));
    TRY(const auto output, parse_amount(fields, "output"));
    TRY(const auto cached, parse_amount(fields, "cached_input"));
    price.input = input.value_or(0);
    price.output = output.value_or(0);
    price.cached_input = cached.value_or(price.input);
    return price;
}

Result<PriceTable> parse_table(const json::object& object) {
    const Fields fields(object);
    PriceTable table;
    TRY(const auto currency, fields.text("currency", chat::kCurrencyBytesMax));
    if (currency) {
        table.currency = base::trim(*currency);
    }
    if (table.currency.empty() || !base::is_utf8(table.currency)) {
        return base::invalid("currency", "currency is a short name, for instance 'USD'.");
    }
    TRY(const json::array* rows, fields.array("data"));
    if (rows == nullptr) {
        return base::invalid("data", "Missing required parameter: 'data'.", "missing_required_parameter");
    }
    if (rows->size() > chat::kPricesMax) {
        return base::invalid("data", "There are at most 500 prices.", "array_above_max_length");
    }
    for (std::size_t i = 0; i < rows->size(); ++i) {
        TRY(auto price, parse_price((*rows)[i], i));
        table.prices.push_back(std::move(price));
    }
    return table;
}

Task<Result<Reply>> get_prices(Context& context, Exchange& /*exchange*/) {
    co_return prices_reply(*context.prices.table());
}

// The whole table, in the order in which it is looked through.
Task<Result<Reply>> put_prices(Context& context, Exchange& exchange) {
    CO_TRY(const auto object, parse_body(exchange.request()));
    CO_TRY(auto table, parse_table(object));
    CO_TRY_VOID(co_await context.prices.replace(context.store, std::move(table)));
    co_return prices_reply(*context.prices.table());
}

}  // namespace

void add_price_routes(Routes& routes) {
    routes.add("GET", "/api/admin/prices", Access::admin, get_prices);
    routes.add_audited("PUT", "/api/admin/prices", Access::admin, put_prices, "prices_changed");
}

}  // namespace confab::api
