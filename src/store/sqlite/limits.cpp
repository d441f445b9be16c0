// Limits as administrators set them, and what is in force.
#include "store/file_rows.hpp"
#include "store/sqlite/usage.hpp"

namespace confab::store::sqlite {

namespace {

constexpr std::size_t kStorage = static_cast<std::size_t>(meter::LimitKind::storage_bytes);

// Columns from 0 on, in the order of meter::LimitKind.
Result<Limits> read_limits(Statement rows) {
    Limits limits;
    TRY(const bool row, rows.step());
    for (std::size_t i = 0; row && i < limits.size(); ++i) {
        limits[i] = rows.get<std::optional<std::int64_t>>(static_cast<int>(i));
    }
    return limits;
}

#define LIMIT_COLUMNS                                                                           \
    "SELECT requests_per_minute, tokens_per_minute, requests_per_month, tokens_per_month, "     \
    "concurrent_answers, storage_bytes FROM limits "

// What is set for one, else for all, else nothing.
meter::LimitValues in_force(const Limits& own, const Limits& all) {
    meter::LimitValues values = meter::kNoLimits;
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = own[i] ? *own[i] : all[i].value_or(meter::kUnlimited);
    }
    return values;
}

Result<Limits> stored_limits(Connection& db, const LimitSubject& subject) {
    return read_limits(db.use(
        LIMIT_COLUMNS "WHERE scope = ?1 AND subject = coalesce(?2, ?3, X'')", subject.scope, subject.person, subject.key
    ));
}

Result<meter::LimitValues> limits_of_user(Connection& db, UserNo user) {
    TRY(const Limits all, stored_limits(db, {LimitScope::every_person, {}, {}}));
    TRY(const Limits own,
        read_limits(db.use(
            LIMIT_COLUMNS "WHERE scope = ?2 AND subject = (SELECT id FROM users WHERE user_no = ?1)",
            user,
            LimitScope::person
        )));
    return in_force(own, all);
}

Result<UsageSum> used_in_month(Connection& db, UserNo user, const std::optional<KeyId>& key, MonthNo month) {
    auto rows = db.use(
        "SELECT requests, input_tokens, output_tokens, cost FROM usage_months "
        "WHERE month = ?1 AND key_id = coalesce(?2, X'') AND user_no = ?3",
        month,
        key,
        user
    );
    TRY(const bool row, rows.step());
    return row ? UsageSum{rows.integer(0), rows.integer(1), rows.integer(2), rows.integer(3)} : UsageSum();
}

Status check_subject(Connection& db, const LimitSubject& subject) {
    if (subject.scope == LimitScope::person) {
        auto found = db.use("SELECT 1 FROM users WHERE id = ?1 AND deleted_at IS NULL", subject.person);
        TRY(const bool row, found.step());
        return row ? Status() : base::not_found("There is no such person.");
    }
    if (subject.scope == LimitScope::key) {
        auto found = db.use("SELECT 1 FROM api_keys WHERE id = ?1", subject.key);
        TRY(const bool row, found.step());
        return row ? Status() : base::not_found("There is no such API key.");
    }
    return {};
}

}  // namespace

Result<Limits> find_limits(Connection& db, const LimitSubject& subject) {
    TRY_VOID(check_subject(db, subject));
    return stored_limits(db, subject);
}

Status put_limits(Connection& db, const LimitSubject& subject, const Limits& limits) {
    TRY_VOID(check_subject(db, subject));
    return db.run(
        "INSERT OR REPLACE INTO limits (scope, subject, requests_per_minute, tokens_per_minute, requests_per_month, "
        "tokens_per_month, concurrent_answers, storage_bytes) "
        "VALUES (?1, coalesce(?2, ?3, X''), ?4, ?5, ?6, ?7, ?8, ?9)",
        subject.scope,
        subject.person,
        subject.key,
        limits[0],
        limits[1],
        limits[2],
        limits[3],
        limits[4],
        limits[5]
    );
}

Status delete_limits_of_key(Connection& db, KeyId id) {
    return db.run("DELETE FROM limits WHERE scope = 3 AND subject = ?1", id);
}

Status delete_limits_of_keys_of(Connection& db, UserNo user) {
    return db.run(
        "DELETE FROM limits WHERE scope = 3 AND subject IN (SELECT id FROM api_keys WHERE user_no = ?1)", user
    );
}

Status delete_limits_of_user(Connection& db, UserId id) {
    return db.run("DELETE FROM limits WHERE scope = 2 AND subject = ?1", id);
}

Result<Entitlement> find_entitlement(Connection& db, UserNo user, std::optional<KeyId> key, MonthNo month) {
    Entitlement found;
    TRY(found.person, limits_of_user(db, user));
    TRY(found.person_used, used_in_month(db, user, std::nullopt, month));
    if (key) {
        TRY(const Limits all, stored_limits(db, {LimitScope::every_key, {}, {}}));
        TRY(const Limits own, stored_limits(db, {LimitScope::key, {}, key}));
        found.key = in_force(own, all);
        TRY(found.key_used, used_in_month(db, user, key, month));
    }
    auto files = db.use("SELECT bytes FROM file_usage WHERE user_no = ?1", user);
    TRY(const bool row, files.step());
    found.storage_used = row ? files.integer(0) : 0;
    return found;
}

Result<std::int64_t> storage_limit(Connection& db, UserNo user) {
    TRY(const meter::LimitValues limits, limits_of_user(db, user));
    return limits[kStorage] == meter::kUnlimited ? kUserFileBytesMax : limits[kStorage];
}

}  // namespace confab::store::sqlite
