#include "store/sqlite/settings.hpp"

namespace confab::store::sqlite {

Result<std::optional<std::string>> get_setting(Connection& db, const std::string& name) {
    auto found = db.use("SELECT value FROM settings WHERE name = ?1", name);
    TRY(const bool row, found.step());
    return row ? std::optional(found.get<std::string>(0)) : std::nullopt;
}

Status put_setting(Connection& db, const std::string& name, const std::string& value) {
    return db.run(
        "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name,
        value
    );
}

}  // namespace confab::store::sqlite
