// Wiping what deleted people had, in bounded steps. users.wiping remembers who is to be looked at, also through a
// crash.
//
// The usage ledger stays: its rows hold counts under a number that is never given to anybody else.
#include <vector>

#include "store/sqlite/files.hpp"
#include "store/sqlite/people.hpp"
#include "store/sqlite/wipe.hpp"

namespace confab::store::sqlite {

namespace {

constexpr std::size_t kPersonStepConversations = 4;  // each may take some 10 ms
constexpr std::size_t kPersonStepFiles = 100;
constexpr std::size_t kPersonStepRows = 500;  // of each other kind

template <class T>
Result<std::vector<T>> first_column(Statement rows) {
    std::vector<T> values;
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            return values;
        }
        values.push_back(rows.template get<T>(0));
    }
}

// A conversation that is being imported is on no shelf.
Result<bool> wipe_conversations_of(Connection& db, UserNo user) {
    TRY(const auto listed,
        first_column<ConversationNo>(db.use(
            "SELECT conv FROM conversations INDEXED BY conversations_listed WHERE user_no = ?1 AND shelf IS NOT NULL "
            "LIMIT ?2",
            user,
            kPersonStepConversations
        )));
    TRY(const auto importing,
        first_column<ConversationNo>(db.use(
            "SELECT conv FROM conversations INDEXED BY conversations_importing WHERE user_no = ?1 AND hidden = 2 "
            "AND deleted_at IS NULL LIMIT ?2",
            user,
            kPersonStepConversations
        )));
    for (const auto* found : {&listed, &importing}) {
        for (const ConversationNo conversation : *found) {
            TRY_VOID(wipe_conversation(db, conversation));
        }
    }
    return !listed.empty() || !importing.empty();
}

Result<bool> delete_files_of(Connection& db, UserNo user) {
    TRY(const auto files,
        first_column<FileId>(
            db.use("SELECT id FROM files WHERE user_no = ?1 ORDER BY id LIMIT ?2", user, kPersonStepFiles)
        ));
    for (const FileId file : files) {
        TRY_VOID(delete_file(db, user, file));
    }
    return !files.empty();
}

// Folders that were deleted before are emptied, and removed, by a step of their own; unfinished imports by their end.
Result<bool> delete_small_rows_of(Connection& db, UserNo user) {
    std::int64_t rows = 0;
    TRY_VOID(db.run(
        "DELETE FROM folders WHERE folder IN (SELECT folder FROM folders WHERE user_no = ?1 AND deleting = 0 LIMIT ?2)",
        user,
        kPersonStepRows
    ));
    rows += db.changed_rows();
    TRY_VOID(db.run(
        "DELETE FROM tags WHERE tag IN (SELECT tag FROM tags WHERE user_no = ?1 LIMIT ?2)", user, kPersonStepRows
    ));
    rows += db.changed_rows();
    TRY_VOID(db.run(
        "DELETE FROM imports WHERE id IN (SELECT id FROM imports WHERE user_no = ?1 AND status >= 3 LIMIT ?2)",
        user,
        kPersonStepRows
    ));
    rows += db.changed_rows();
    TRY_VOID(db.run(
        "DELETE FROM repeatable_calls WHERE no IN (SELECT no FROM repeatable_calls WHERE user_no = ?1 LIMIT ?2)",
        user,
        kPersonStepRows
    ));
    rows += db.changed_rows();
    TRY_VOID(db.run("DELETE FROM user_settings WHERE user_no = ?1", user));
    TRY_VOID(db.run("DELETE FROM file_usage WHERE user_no = ?1", user));
    return rows > 0;
}

// One in which an answer is still being ended keeps its row until then.
Result<bool> delete_empty_rows_of(Connection& db, UserNo user) {
    TRY_VOID(db.run(
        "DELETE FROM conversations WHERE conv IN (SELECT conv FROM conversations c INDEXED BY conversations_deleted "
        "WHERE user_no = ?1 AND deleted_at IS NOT NULL AND wiping = 0 "
        "AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.conv = c.conv) LIMIT ?2)",
        user,
        kPersonStepRows
    ));
    return db.changed_rows() > 0;
}

// True: there may be more.
Result<bool> wipe_some_of(Connection& db, UserNo user) {
    TRY(const bool conversations, wipe_conversations_of(db, user));
    if (conversations) {
        return true;
    }
    TRY(const bool files, delete_files_of(db, user));
    if (files) {
        return true;
    }
    TRY(const bool small_rows, delete_small_rows_of(db, user));
    if (small_rows) {
        return true;
    }
    return delete_empty_rows_of(db, user);
}

Result<bool> left_something(Connection& db, UserNo user) {
    auto found = db.use(
        "SELECT EXISTS (SELECT 1 FROM conversations INDEXED BY conversations_listed WHERE user_no = ?1 AND shelf IS "
        "NOT "
        "NULL) OR EXISTS (SELECT 1 FROM conversations INDEXED BY conversations_importing WHERE user_no = ?1 AND hidden "
        "= "
        "2) OR EXISTS (SELECT 1 FROM conversations INDEXED BY conversations_deleted WHERE user_no = ?1 AND deleted_at "
        "IS "
        "NOT NULL) OR EXISTS (SELECT 1 FROM files WHERE user_no = ?1) OR EXISTS (SELECT 1 FROM imports WHERE user_no = "
        "?1) OR EXISTS (SELECT 1 FROM tags WHERE user_no = ?1) OR EXISTS (SELECT 1 FROM folders WHERE user_no = ?1 AND "
        "deleting = 0) OR EXISTS (SELECT 1 FROM user_settings WHERE user_no = ?1) OR EXISTS (SELECT 1 FROM "
        "repeatable_calls WHERE user_no = ?1)",
        user
    );
    TRY_VOID(found.step());
    return found.integer(0) != 0;
}

}  // namespace

Result<bool> wipe_users_step(Connection& db) {
    UserNo user{};
    {
        auto next = db.use("SELECT user_no FROM users WHERE wiping = 1 ORDER BY user_no LIMIT 1");
        TRY(const bool row, next.step());
        if (!row) {
            return false;
        }
        user = next.get<UserNo>(0);
    }
    TRY(const bool more, wipe_some_of(db, user));
    if (!more) {
        TRY_VOID(db.run("UPDATE users SET wiping = 0 WHERE user_no = ?1", user));
    }
    return true;
}

Status look_again_at_deleted_user(Connection& db, UserNo user, UnixSeconds now) {
    TRY(const bool something, left_something(db, user));
    if (something) {
        return db.run("UPDATE users SET wiping = 1 WHERE user_no = ?1", user);
    }
    return db.run(
        "DELETE FROM users WHERE user_no = ?1 AND wiping = 0 AND deleted_at <= ?2", user, now - kDeletedUserKept
    );
}

}  // namespace confab::store::sqlite
