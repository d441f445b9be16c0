// /api/usage: what one's answers took. /api/admin/usage: the same of everybody, for administrators. No conversation is
// looked at: the ledger holds counts, and names of models, people and keys.
#include <stdexcept>

#include "api/export_name.hpp"
#include "api/routes.hpp"
#include "api/usage_json.hpp"

namespace confab::api {

namespace {

using web::Access;

constexpr std::size_t kCsvRows = 500;                      // of the ledger, read at a time
constexpr std::uint64_t kCsvLeaseBytes = 1024ULL * 1024;   // of those rows, rendered, and as they are
constexpr std::size_t kPeopleRowsDefault = 50;

void render_days(base::JsonWriter& out, const std::vector<store::UsageOfDay>& days) {
    out.key("data");
    out.begin_array();
    for (const store::UsageOfDay& day : days) {
        out.begin_object();
        out.member("day", render_day(day.day));
        out.member("model", day.model);
        render_sum_members(out, day.sum);
        out.end_object();
    }
    out.end_array();
}

store::UsageSum total_of(const std::vector<store::UsageOfDay>& days) {
    store::UsageSum total;
    for (const store::UsageOfDay& day : days) {
        total.requests += day.sum.requests;
        total.input_tokens += day.sum.input_tokens;
        total.output_tokens += day.sum.output_tokens;
        total.cost += day.sum.cost;
    }
    return total;
}

Task<Result<Reply>> usage_reply(Context& context, Exchange& exchange, std::optional<store::UserNo> user) {
    CO_TRY(const auto days_back, parse_days_back(exchange.request()));
    const store::DayNo today = store::day_of(base::unix_now());
    const store::DayNo first = today - days_back + 1;
    CO_TRY(const auto days, co_await context.store.list_usage_days(user, first, today));
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "usage");
    out.member("from", render_day(first));
    out.member("to", render_day(today));
    out.member("currency", context.prices.table()->currency);
    out.key("total");
    out.begin_object();
    render_sum_members(out, total_of(days));
    out.end_object();
    render_days(out, days);
    out.end_object();
    co_return web::json_reply(std::move(body));
}

// The person whom an administrator asks about; nothing: everybody.
Task<Result<std::optional<store::UserNo>>> person_asked_for(Context& context, Exchange& exchange) {
    const auto asked = exchange.request().query_value("user");
    if (!asked) {
        co_return std::optional<store::UserNo>();
    }
    const auto id = store::UserId::parse(*asked);
    if (!id) {
        co_return base::invalid("user", "user is the id of a person.");
    }
    CO_TRY(const auto user, co_await context.store.find_user_by_id(*id));
    co_return std::optional(user.no);
}

Task<Result<Reply>> get_usage(Context& context, Exchange& exchange) {
    return usage_reply(context, exchange, user_of(exchange));
}

Task<Result<Reply>> get_all_usage(Context& context, Exchange& exchange) {
    CO_TRY(const auto user, co_await person_asked_for(context, exchange));
    co_return co_await usage_reply(context, exchange, user);
}

// ---- people ----

Result<std::optional<store::UserNo>> parse_people_cursor(const web::Request& request) {
    const auto text = request.query_value("after");
    if (!text) {
        return std::nullopt;
    }
    std::int64_t number = 0;
    const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (ec != std::errc{} || end != text->data() + text->size() || number < 0) {
        return base::invalid("after", "after is the 'next' of a page.");
    }
    return store::UserNo(number);
}

Result<std::size_t> parse_people_limit(const web::Request& request) {
    const auto text = request.query_value("limit");
    std::size_t limit = kPeopleRowsDefault;
    if (text) {
        const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), limit);
        if (ec != std::errc{} || end != text->data() + text->size() || limit < 1 || limit > kPageRowsMax) {
            return base::invalid("limit", "limit is a number from 1 to 100.");
        }
    }
    return limit;
}

// This month, by person. The cursor is a number: people who are gone have no id, and their sums stay.
Task<Result<Reply>> list_usage_people(Context& context, Exchange& exchange) {
    CO_TRY(const auto after, parse_people_cursor(exchange.request()));
    CO_TRY(const auto limit, parse_people_limit(exchange.request()));
    const store::MonthNo month = store::month_of(base::unix_now());
    CO_TRY(const auto page, co_await context.store.list_usage_people(month, after, limit));
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "list");
    out.key("data");
    out.begin_array();
    for (const store::UsageOfPerson& person : page.rows) {
        out.begin_object();
        out.member_or_null("id", person.email.empty() ? std::string() : person.id.str());
        out.member_or_null("email", person.email);
        out.member_or_null("name", person.name);
        render_sum_members(out, person.sum);
        out.end_object();
    }
    out.end_array();
    out.member("has_more", page.has_more);
    out.key("next");
    if (page.has_more) {
        out.value(std::to_string(static_cast<std::int64_t>(page.rows.back().user)));
    } else {
        out.value(nullptr);
    }
    out.end_object();
    co_return web::json_reply(std::move(body));
}

// ---- tables to keep ----

void append_csv_row(std::string& out, const store::NamedUsageEntry& named) {
    const store::UsageEntry& row = named.row;
    out += render_time(row.at);
    for (const std::string& text : {named.email, row.payer.key ? row.payer.key->str() : std::string(), named.key_name,
                                    row.model, row.upstream}) {
        out += ',';
        append_csv_text(out, text);
    }
    for (const std::int64_t number : {row.count.input_tokens, row.count.cached_tokens, row.count.output_tokens}) {
        out += ',';
        out += std::to_string(number);
    }
    char cost[48];
    const auto end = std::to_chars(cost, cost + sizeof cost, amount_of(row.count.cost), std::chars_format::fixed, 9);
    out += ',';
    out.append(cost, end.ptr);
    out += row.count.estimated ? ",yes\r\n" : ",no\r\n";
}

class CsvStreamer final : public web::Streamer {
public:
    CsvStreamer(store::UsageStore& store, std::optional<store::UserNo> user, store::UnixSeconds from, meter::Lease lease)
        : store_(store), user_(user), place_{from - 1, std::numeric_limits<std::int64_t>::max()}, lease_(std::move(lease)) {}

    // The next rows are read when the client has taken the last.
    Task<void> stream(web::StreamWriter& writer) override {
        std::string piece =
            "time,person,key_id,key_name,model,server,input_tokens,cached_tokens,output_tokens,cost,estimated\r\n";
        for (bool more = true; more;) {
            const auto rows = co_await store_.list_ledger(user_, place_, until_, kCsvRows);
            if (!rows) {
                throw std::runtime_error("an export broke off: " + rows.error().message);  // seen as not whole
            }
            for (const store::NamedUsageEntry& row : *rows) {
                append_csv_row(piece, row);
            }
            more = rows->size() == kCsvRows;
            if (!rows->empty()) {
                place_ = {rows->back().row.at, rows->back().row.entry};
            }
            const bool taken = piece.empty() || co_await writer.write(piece);
            if (!taken) {
                co_return;
            }
            piece.clear();
        }
    }

private:
    store::UsageStore& store_;
    const std::optional<store::UserNo> user_;
    const store::UnixSeconds until_ = base::unix_now() + 1;
    store::LedgerPlace place_;
    const meter::Lease lease_;
};

Result<Reply> csv_reply(Context& context, Exchange& exchange, std::optional<store::UserNo> user) {
    TRY(const auto days_back, parse_days_back(exchange.request()));
    auto lease = context.budget.try_lease(kCsvLeaseBytes);
    if (!lease) {
        return base::fail(base::Errc::unavailable, "The server is short of memory. Try again shortly.", "overloaded");
    }
    const store::UnixSeconds from = (store::day_of(base::unix_now()) - days_back + 1) * store::kSecondsOfDay;
    Reply reply;
    reply.content_type = "text/csv; charset=utf-8; header=present";
    reply.headers.push_back({"content-disposition", export_disposition("confab-usage", "csv")});
    reply.headers.push_back({"cache-control", "no-store"});
    reply.headers.push_back({"content-security-policy", "sandbox; default-src 'none'"});
    reply.streamer = std::make_unique<CsvStreamer>(context.store, user, from, *std::move(lease));
    return reply;
}

Task<Result<Reply>> get_usage_csv(Context& context, Exchange& exchange) {
    co_return csv_reply(context, exchange, user_of(exchange));
}

Task<Result<Reply>> get_all_usage_csv(Context& context, Exchange& exchange) {
    CO_TRY(const auto user, co_await person_asked_for(context, exchange));
    co_return csv_reply(context, exchange, user);
}

}  // namespace

void add_usage_routes(Routes& routes) {
    routes.add("GET", "/api/usage", Access::user, get_usage);
    routes.add("GET", "/api/usage/csv", Access::user, get_usage_csv);
    routes.add("GET", "/api/admin/usage", Access::admin, get_all_usage);
    routes.add("GET", "/api/admin/usage/csv", Access::admin, get_all_usage_csv);
    routes.add("GET", "/api/admin/usage/people", Access::admin, list_usage_people);
}

}  // namespace confab::api
