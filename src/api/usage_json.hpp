// What answers took, as the API shows it.
#pragma once

#include <string>
#include <string_view>

#include "api/body.hpp"
#include "store/usage_rows.hpp"

namespace confab::api {

// "2026-01-31", and "2026-01-31T23:59:59Z"; UTC.
std::string render_day(store::DayNo day);
std::string render_time(store::UnixSeconds time);

// An amount of the currency; stored are billionths of it.
double amount_of(std::int64_t cost);

// {"requests","input_tokens","output_tokens","cost"} as members of an object that was begun.
void render_sum_members(base::JsonWriter& out, const store::UsageSum& sum);

// The query's `days`, today included: 1 .. kUsageDaysMax, 30 unless it is given.
base::Result<std::int64_t> parse_days_back(const web::Request& request);

// A field of a table for spreadsheets (RFC 4180): in quotes, and such that nothing in it is taken for a formula.
void append_csv_text(std::string& out, std::string_view text);

}  // namespace confab::api
