// Letting go of what is longer in the trash, or untouched, than the settings allow.
#include <algorithm>
#include <array>
#include <charconv>

#include "store/sqlite/organise.hpp"
#include "store/sqlite/people.hpp"
#include "store/sqlite/settings.hpp"
#include "store/sqlite/wipe.hpp"

namespace confab::store::sqlite {

namespace {

constexpr std::size_t kStepWipes = 4;   // conversations wiped in one step: each may take some 10 ms
constexpr std::size_t kStepUsers = 50;  // people looked at in one step
constexpr std::int64_t kDaySeconds = 86'400;
// Pinned ones (2, 3) are kept; the trash and the hidden ones, which hold stored responses, are not.
constexpr std::array<std::int64_t, 4> kExpiringShelves{0, 1, 4, 5};

Result<std::optional<std::int64_t>> days_setting(Connection& db, std::string_view name) {
    TRY(const auto text, get_setting(db, std::string(name)));
    std::int64_t days = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), days).ec != std::errc{} || days < 1) {
        return std::nullopt;
    }
    return days;
}

std::optional<std::int64_t> shorter(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
    return a && b ? std::min(*a, *b) : (a ? a : b);
}

Status take(Statement rows, std::vector<ConversationNo>& taken) {
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            return {};
        }
        taken.push_back(rows.get<ConversationNo>(0));
    }
}

Status wipe_all(Connection& db, const std::vector<ConversationNo>& conversations) {
    for (const ConversationNo conversation : conversations) {
        TRY_VOID(wipe_conversation(db, conversation));
    }
    return {};
}

struct Person {
    UserNo no{};
    std::optional<std::int64_t> retention_days;
    bool deleted = false;
};

Result<std::optional<Person>> next_person(Connection& db, UserNo from) {
    auto found = db.use(
        "SELECT u.user_no, s.retention_days, u.deleted_at IS NOT NULL FROM users u LEFT JOIN user_settings s "
        "ON s.user_no = u.user_no WHERE u.user_no >= ?1 ORDER BY u.user_no LIMIT 1",
        from
    );
    TRY(const bool row, found.step());
    if (!row) {
        return std::nullopt;
    }
    return Person{found.get<UserNo>(0), found.get<std::optional<std::int64_t>>(1), found.integer(2) != 0};
}

Status find_untouched(Connection& db, UserNo user, UnixSeconds before, std::vector<ConversationNo>& found) {
    for (const std::int64_t shelf : kExpiringShelves) {
        if (found.size() < kStepWipes) {
            TRY_VOID(
                take(db.use("SELECT conv FROM conversations INDEXED BY conversations_listed "
                            "WHERE user_no = ?1 AND shelf = ?2 AND updated_at < ?3 ORDER BY updated_at, conv LIMIT ?4",
                            user, shelf, before, kStepWipes - found.size()),
                     found)
            );
        }
    }
    return {};
}

}  // namespace

Result<std::optional<UserNo>> delete_expired_step(Connection& db, UnixSeconds now, UserNo user) {
    std::vector<ConversationNo> found;
    TRY(const auto trash_days, days_setting(db, kSettingTrashDays));
    const UnixSeconds trashed_before = now - trash_days.value_or(kTrashDaysDefault) * kDaySeconds;
    TRY_VOID(take(
        db.use(
            "SELECT conv FROM conversations WHERE trashed_at < ?1 AND deleted_at IS NULL ORDER BY trashed_at LIMIT ?2",
            trashed_before,
            kStepWipes
        ),
        found
    ));
    TRY(const auto for_all, days_setting(db, kSettingRetentionDays));
    for (std::size_t looked_at = 0; found.empty() && looked_at < kStepUsers; ++looked_at) {
        TRY(const auto person, next_person(db, user));
        if (!person) {
            return std::nullopt;
        }
        user = person->no;
        if (person->deleted) {
            TRY_VOID(look_again_at_deleted_user(db, user, now));
        } else if (const auto days = shorter(for_all, person->retention_days)) {
            TRY_VOID(find_untouched(db, user, now - *days * kDaySeconds, found));
        }
        if (found.empty()) {
            user = static_cast<UserNo>(static_cast<std::int64_t>(user) + 1);
        }
    }
    TRY_VOID(wipe_all(db, found));
    return user;
}

Result<UserSettings> get_user_settings(Connection& db, UserNo user) {
    auto found = db.use("SELECT retention_days FROM user_settings WHERE user_no = ?1", user);
    TRY(const bool row, found.step());
    UserSettings settings;
    if (row) {
        settings.retention_days = found.get<std::optional<std::int64_t>>(0);
    }
    return settings;
}

Status put_user_settings(Connection& db, UserNo user, const UserSettings& settings) {
    return db.run(
        "INSERT INTO user_settings (user_no, retention_days) VALUES (?1, ?2) "
        "ON CONFLICT (user_no) DO UPDATE SET retention_days = excluded.retention_days",
        user,
        settings.retention_days
    );
}

}  // namespace confab::store::sqlite
