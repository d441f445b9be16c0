#include "store/sqlite/wipe.hpp"

#include "base/clock.hpp"
#include "store/sqlite/conversations.hpp"
#include "store/sqlite/organise.hpp"
#include "store/sqlite/search_upkeep.hpp"
#include "store/sqlite/shares.hpp"
#include "store/sqlite/summaries.hpp"

namespace confab::store::sqlite {

namespace {

// One step: at most this many rows of each kind, and about this many bytes of bodies, which are overwritten. Some 10
// ms.
constexpr std::size_t kWipeStepRows = 2'000;
constexpr std::int64_t kWipeStepBytes = 4 * 1024 * 1024;

// Wipes the first items; true: there may be more.
Result<bool> wipe_items(Connection& db, ConversationNo conversation) {
    std::size_t rows = 0;
    std::int64_t bytes = 0;
    BranchNo branch{};
    Position position = 0;
    {
        auto items = db.use(
            "SELECT br, pos, mid, bytes FROM items WHERE conv = ?1 ORDER BY br, pos LIMIT ?2", conversation, kWipeStepRows
        );
        while (bytes < kWipeStepBytes) {
            TRY(const bool row, items.step());
            if (!row) {
                break;
            }
            branch = items.get<BranchNo>(0);
            position = items.integer(1);
            bytes += items.integer(3);
            ++rows;
            TRY_VOID(forget_in_search(db, items.integer(2)));
            TRY_VOID(db.run("DELETE FROM bodies WHERE mid = ?1", items.integer(2)));
        }
    }
    if (rows == 0) {
        return false;
    }
    TRY_VOID(db.run("DELETE FROM items WHERE conv = ?1 AND (br, pos) <= (?2, ?3)", conversation, branch, position));
    return rows == kWipeStepRows || bytes >= kWipeStepBytes;
}

// A run in progress keeps its row until it is finished, which wipes again.
Result<bool> wipe_runs(Connection& db, ConversationNo conversation) {
    std::size_t rows = 0;
    auto runs = db.use(
        "SELECT run, first_chunk, coalesce(last_chunk, 0) FROM runs WHERE conv = ?1 AND status >= 2 LIMIT ?2",
        conversation,
        kWipeStepRows
    );
    std::vector<RunNo> wiped;
    for (;;) {
        TRY(const bool row, runs.step());
        if (!row) {
            break;
        }
        ++rows;
        wiped.push_back(runs.get<RunNo>(0));
        if (!runs.is_null(1)) {
            TRY_VOID(db.run(
                "DELETE FROM run_chunks WHERE id BETWEEN ?1 AND ?2 AND run = ?3",
                runs.integer(1),
                runs.integer(2),
                wiped.back()
            ));
        }
    }
    for (const RunNo run : wiped) {
        TRY_VOID(db.run("DELETE FROM runs WHERE run = ?1", run));
    }
    return rows == kWipeStepRows;
}

Result<bool> wipe_branches(Connection& db, ConversationNo conversation) {
    TRY_VOID(db.run(
        "DELETE FROM branches WHERE conv = ?1 AND br IN (SELECT br FROM branches WHERE conv = ?1 LIMIT ?2)",
        conversation,
        kWipeStepRows
    ));
    return db.changed_rows() == static_cast<std::int64_t>(kWipeStepRows);
}

// True: there may be more of this conversation.
Result<bool> wipe_some(Connection& db, ConversationNo conversation) {
    TRY(const bool more_items, wipe_items(db, conversation));
    if (more_items) {
        return true;
    }
    TRY(const bool more_runs, wipe_runs(db, conversation));
    if (more_runs) {
        return true;
    }
    TRY(const bool more_branches, wipe_branches(db, conversation));
    if (more_branches) {
        return true;
    }
    TRY_VOID(forget_title_in_search(db, conversation));
    TRY_VOID(db.run("UPDATE conversations SET wiping = 0 WHERE conv = ?1", conversation));
    // A visible one stays behind as an empty row: its id remains taken, and good as a cursor. One that was never wholly
    // imported leaves its id free.
    TRY_VOID(db.run(
        "DELETE FROM conversations WHERE conv = ?1 AND hidden >= 1 "
        "AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.conv = conversations.conv)",
        conversation
    ));
    return false;
}

Result<std::optional<ResponseId>> find_active_run(Connection& db, const ConversationHandle& conversation) {
    auto found = db.use(
        "SELECT id FROM runs WHERE conv = ?1 AND br = ?2 AND status < 2 "
        "UNION ALL SELECT id FROM runs WHERE conv = ?1 AND status < 2 LIMIT 1",
        conversation.no,
        conversation.active_branch
    );
    TRY(const bool row, found.step());
    return row ? std::optional(found.get<ResponseId>(0)) : std::nullopt;
}

}  // namespace

Result<std::optional<ResponseId>> delete_conversation(Connection& db, UserNo user, ConversationId id) {
    TRY(const ConversationHandle handle, open_conversation(db, user, id));
    TRY(const auto active_run, find_active_run(db, handle));
    TRY_VOID(wipe_conversation(db, handle.no));
    return active_run;
}

Status wipe_conversation(Connection& db, ConversationNo conversation) {
    TRY_VOID(forget_title_in_search(db, conversation));
    TRY_VOID(db.run(
        "UPDATE conversations SET deleted_at = ?2, wiping = 1, folder = 0, title = '', model = '', instructions = '', "
        "metadata = '{}' WHERE conv = ?1",
        conversation,
        base::unix_now()
    ));
    TRY_VOID(clear_tags(db, conversation));
    TRY_VOID(delete_shares_of(db, conversation));
    TRY_VOID(wipe_summaries(db, conversation));
    TRY_VOID(wipe_some(db, conversation));
    return {};
}

Status wipe_again(Connection& db, ConversationNo conversation) {
    TRY_VOID(db.run("UPDATE conversations SET wiping = 1 WHERE conv = ?1 AND deleted_at IS NOT NULL", conversation));
    TRY_VOID(wipe_some(db, conversation));
    return {};
}

Result<bool> wipe_step(Connection& db) {
    ConversationNo conversation{};
    {
        auto next = db.use("SELECT conv FROM conversations WHERE wiping = 1 ORDER BY conv LIMIT 1");
        TRY(const bool row, next.step());
        if (!row) {
            return false;
        }
        conversation = next.get<ConversationNo>(0);
    }
    TRY_VOID(wipe_some(db, conversation));
    return true;
}

}  // namespace confab::store::sqlite
