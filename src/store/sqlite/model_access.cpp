#include "store/sqlite/model_access.hpp"

#include "store/sqlite/people.hpp"

namespace confab::store::sqlite {

namespace {

constexpr const char* kRevisionSetting = "model_access_revision";

Result<std::int64_t> count_of(Statement counted) {
    TRY_VOID(counted.step());
    return counted.integer(0);
}

Status set_people(Connection& db, const ModelRuleChange& change) {
    for (const UserId id : change.people) {
        const auto user = find_user_by_id(db, id);
        if (!user && user.error().errc == base::Errc::not_found) {
            return base::invalid("people", "There is no person with id '" + id.str() + "'.", "user_not_found");
        }
        TRY_VOID(user);
        TRY_VOID(db.run(
            "INSERT INTO model_people (model, user_no) VALUES (?1, ?2) ON CONFLICT DO NOTHING", change.model, user->no
        ));
    }
    TRY(const auto in_all, count_of(db.use("SELECT count(*) FROM model_people")));
    if (static_cast<std::size_t>(in_all) > kModelPeopleInAllMax) {
        return base::invalid("people", "The lists of all models hold at most 10000 people together.", "too_many_people");
    }
    return {};
}

Status set_rule(Connection& db, const ModelRuleChange& change) {
    TRY_VOID(db.run(
        "INSERT INTO model_rules (model, who) VALUES (?1, ?2) ON CONFLICT (model) DO UPDATE SET who = excluded.who",
        change.model,
        *change.who
    ));
    TRY(const auto rules, count_of(db.use("SELECT count(*) FROM model_rules WHERE model <> ''")));
    if (static_cast<std::size_t>(rules) > kModelRulesMax) {
        return base::invalid("model", "There are rules for 500 models already. Remove one first.", "too_many_rules");
    }
    return *change.who == ModelUse::people ? set_people(db, change) : Status();
}

}  // namespace

Result<ModelAccess> get_model_access(Connection& db) {
    ModelAccess access;
    TRY(access.revision,
        count_of(db.use("SELECT coalesce((SELECT CAST(value AS INTEGER) FROM settings WHERE name = ?1), 0)", kRevisionSetting)
        ));
    auto rows = db.use(
        "SELECT model_rules.model, who, u.user_no, u.id, u.name, u.email FROM model_rules "
        "LEFT JOIN model_people p ON p.model = model_rules.model LEFT JOIN users u ON u.user_no = p.user_no "
        "ORDER BY model_rules.model, p.user_no"
    );
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            return access;
        }
        if (access.rules.empty() || access.rules.back().model != rows.bytes(0)) {
            access.rules.push_back({rows.get<std::string>(0), rows.get<ModelUse>(1), {}});
        }
        if (!rows.is_null(2)) {
            access.rules.back().people.push_back(
                {rows.get<UserNo>(2), rows.get<UserId>(3), rows.get<std::string>(4), rows.get<std::string>(5)}
            );
        }
    }
}

Result<ModelAccess> change_model_rule(Connection& db, const ModelRuleChange& change) {
    if (change.people.size() > kModelPeopleMax) {
        return base::invalid("people", "A rule names at most 500 people.", "too_many_people");
    }
    TRY_VOID(db.run("DELETE FROM model_people WHERE model = ?1", change.model));
    if (change.who) {
        TRY_VOID(set_rule(db, change));
    } else {
        TRY_VOID(db.run("DELETE FROM model_rules WHERE model = ?1", change.model));
    }
    TRY_VOID(db.run(
        "INSERT INTO settings (name, value) VALUES (?1, '1') "
        "ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)",
        kRevisionSetting
    ));
    return get_model_access(db);
}

Status forget_model_person(Connection& db, UserNo user) {
    return db.run("DELETE FROM model_people WHERE user_no = ?1", user);
}

}  // namespace confab::store::sqlite
