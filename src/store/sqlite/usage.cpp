#include "store/sqlite/usage.hpp"

#include <algorithm>

namespace confab::store::sqlite {

namespace {

constexpr UserNo kEverybody{0};

// Columns from `first` on: requests, input_tokens, output_tokens, cost.
UsageSum read_sum(const Statement& row, int first) {
    return {row.integer(first), row.integer(first + 1), row.integer(first + 2), row.integer(first + 3)};
}

Status append_to_ledger(Connection& db, const UsageEntry& entry) {
    return db.run(
        "INSERT INTO usage_ledger (at, user_no, run, model, upstream, input_tokens, output_tokens, key_id, session_id, "
        "cached_tokens, cost, estimated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        entry.at,
        entry.payer.user,
        entry.run,
        entry.model,
        entry.upstream,
        entry.count.input_tokens,
        entry.count.output_tokens,
        entry.payer.key,
        entry.payer.session,
        entry.count.cached_tokens,
        entry.count.cost,
        entry.count.estimated
    );
}

// The name under which the answer is summed. Names of models are given by callers: a day has room for so many.
Result<std::string> summed_model(Connection& db, UserNo user, DayNo day, const std::string& model) {
    {
        auto known = db.use(
            "SELECT 1 FROM usage_days WHERE user_no = ?1 AND day = ?2 AND model = ?3", user, day, model
        );
        TRY(const bool row, known.step());
        if (row) {
            return model;
        }
    }
    auto counted = db.use(
        "SELECT count(*) FROM (SELECT 1 FROM usage_days WHERE user_no = ?1 AND day = ?2 LIMIT ?3)",
        user,
        day,
        kUsageModelsMax
    );
    TRY_VOID(counted.step());
    const bool full = counted.integer(0) >= static_cast<std::int64_t>(kUsageModelsMax);
    return full ? std::string(kOtherModels) : model;
}

Status add_to_day(Connection& db, UserNo user, DayNo day, const UsageEntry& entry) {
    TRY(const std::string model, summed_model(db, user, day, entry.model));
    return db.run(
        "INSERT INTO usage_days (user_no, day, model, requests, input_tokens, output_tokens, cost) "
        "VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6) ON CONFLICT (user_no, day, model) DO UPDATE SET requests = requests + 1, "
        "input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens, "
        "cost = cost + excluded.cost",
        user,
        day,
        model,
        entry.count.input_tokens,
        entry.count.output_tokens,
        entry.count.cost
    );
}

// `key` absent: all of the person's.
Status add_to_month(Connection& db, const UsageEntry& entry, const std::optional<KeyId>& key) {
    return db.run(
        "INSERT INTO usage_months (month, key_id, user_no, requests, input_tokens, output_tokens, cost) "
        "VALUES (?1, coalesce(?2, X''), ?3, 1, ?4, ?5, ?6) ON CONFLICT (month, key_id, user_no) DO UPDATE SET "
        "requests = requests + 1, input_tokens = input_tokens + excluded.input_tokens, "
        "output_tokens = output_tokens + excluded.output_tokens, cost = cost + excluded.cost",
        month_of(entry.at),
        key,
        entry.payer.user,
        entry.count.input_tokens,
        entry.count.output_tokens,
        entry.count.cost
    );
}

UsageEntry read_entry(const Statement& row) {
    UsageEntry entry;
    entry.entry = row.integer(0);
    entry.at = row.integer(1);
    entry.payer.user = row.get<UserNo>(2);
    entry.run = row.get<RunNo>(3);
    entry.model = row.get<std::string>(4);
    entry.upstream = row.get<std::string>(5);
    entry.count.input_tokens = row.integer(6);
    entry.count.output_tokens = row.integer(7);
    entry.payer.key = row.get<std::optional<KeyId>>(8);
    entry.payer.session = row.get<std::optional<SessionId>>(9);
    entry.count.cached_tokens = row.integer(10);
    entry.count.cost = row.integer(11);
    entry.count.estimated = row.get<bool>(12);
    return entry;
}

#define LEDGER_COLUMNS                                                                                             \
    "SELECT l.entry, l.at, l.user_no, l.run, l.model, l.upstream, l.input_tokens, l.output_tokens, l.key_id, "     \
    "l.session_id, l.cached_tokens, l.cost, l.estimated, CASE WHEN u.deleted_at IS NULL THEN u.email END, k.name " \
    "FROM usage_ledger l LEFT JOIN users u ON u.user_no = l.user_no LEFT JOIN api_keys k ON k.id = l.key_id "

}  // namespace

Status record_usage(Connection& db, const UsageEntry& entry) {
    TRY_VOID(append_to_ledger(db, entry));
    if (entry.count.input_tokens + entry.count.output_tokens <= 0) {
        return {};
    }
    const DayNo day = day_of(entry.at);
    TRY_VOID(add_to_day(db, entry.payer.user, day, entry));
    TRY_VOID(add_to_day(db, kEverybody, day, entry));
    TRY_VOID(add_to_month(db, entry, std::nullopt));
    return entry.payer.key ? add_to_month(db, entry, entry.payer.key) : Status();
}

Status add_usage(Connection& db, const std::vector<UsageEntry>& entries) {
    for (const UsageEntry& entry : entries) {
        TRY_VOID(record_usage(db, entry));
    }
    return {};
}

Result<std::vector<UsageOfDay>> list_usage_days(Connection& db, std::optional<UserNo> user, DayNo first, DayNo last) {
    auto rows = db.use(
        "SELECT day, model, requests, input_tokens, output_tokens, cost FROM usage_days "
        "WHERE user_no = ?1 AND day BETWEEN ?2 AND ?3 ORDER BY day DESC, model DESC LIMIT ?4",
        user.value_or(kEverybody),
        first,
        last,
        kUsageRowsMax
    );
    std::vector<UsageOfDay> days;
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            std::ranges::reverse(days);
            return days;
        }
        days.push_back({rows.integer(0), rows.get<std::string>(1), read_sum(rows, 2)});
    }
}

Result<Page<UsageOfPerson>> list_usage_people(
    Connection& db,
    MonthNo month,
    std::optional<UserNo> after,
    std::size_t limit
) {
    auto rows = db.use(
        "SELECT m.user_no, u.id, CASE WHEN u.deleted_at IS NULL THEN u.email END, u.name, m.requests, m.input_tokens, "
        "m.output_tokens, m.cost FROM usage_months m LEFT JOIN users u ON u.user_no = m.user_no "
        "WHERE m.month = ?1 AND m.key_id = X'' AND m.user_no > ?2 ORDER BY m.user_no LIMIT ?3",
        month,
        after.value_or(kEverybody),
        limit + 1
    );
    Page<UsageOfPerson> page;
    for (;;) {
        TRY(const bool row, rows.step());
        page.has_more = row && page.rows.size() == limit;
        if (!row || page.has_more) {
            return page;
        }
        UsageOfPerson person;
        person.user = rows.get<UserNo>(0);
        person.id = rows.get<std::optional<UserId>>(1).value_or(UserId());
        person.email = rows.get<std::optional<std::string>>(2).value_or(std::string());
        person.name = rows.get<std::optional<std::string>>(3).value_or(std::string());
        person.sum = read_sum(rows, 4);
        page.rows.push_back(std::move(person));
    }
}

Result<std::vector<UsageOfKey>> list_usage_keys(Connection& db, UserNo user, MonthNo month) {
    auto rows = db.use(
        "SELECT k.id, m.requests, m.input_tokens, m.output_tokens, m.cost FROM api_keys k "
        "JOIN usage_months m ON m.month = ?2 AND m.key_id = k.id AND m.user_no = k.user_no WHERE k.user_no = ?1",
        user,
        month
    );
    std::vector<UsageOfKey> keys;
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            return keys;
        }
        keys.push_back({rows.get<KeyId>(0), read_sum(rows, 1)});
    }
}

Result<std::vector<NamedUsageEntry>> list_ledger(
    Connection& db,
    std::optional<UserNo> user,
    const LedgerPlace& place,
    UnixSeconds until,
    std::size_t limit
) {
    auto rows = user ? db.use(
                           LEDGER_COLUMNS "WHERE l.user_no = ?1 AND (l.at, l.entry) > (?2, ?3) AND l.at < ?4 "
                                          "ORDER BY l.at, l.entry LIMIT ?5",
                           *user,
                           place.at,
                           place.entry,
                           until,
                           limit
                       )
                     : db.use(
                           LEDGER_COLUMNS "WHERE (l.at, l.entry) > (?1, ?2) AND l.at < ?3 "
                                          "ORDER BY l.at, l.entry LIMIT ?4",
                           place.at,
                           place.entry,
                           until,
                           limit
                       );
    std::vector<NamedUsageEntry> entries;
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            return entries;
        }
        NamedUsageEntry named;
        named.row = read_entry(rows);
        named.email = rows.get<std::optional<std::string>>(13).value_or(std::string());
        named.key_name = rows.get<std::optional<std::string>>(14).value_or(std::string());
        entries.push_back(std::move(named));
    }
}

}  // namespace confab::store::sqlite
