#include "store/sqlite/exports.hpp"

#include "store/sqlite/conversations.hpp"
#include "store/sqlite/items.hpp"
#include "store/sqlite/user_rows.hpp"

namespace confab::store::sqlite {

namespace {

constexpr std::size_t kExportRowsMax = 500;  // of one page: short messages reach this before its bytes
constexpr int kBranchesPerPage = 200;        // looked at; most have no items, or few

// The key of the user's newest body. Keys grow, so that what comes later has a larger one.
Result<std::int64_t> newest_body_key(Connection& db, UserNo user) {
    const auto [first, last] = rows_of(user);
    auto newest = db.use("SELECT max(mid) FROM bodies WHERE mid BETWEEN ?1 AND ?2", first, last);
    TRY(const bool row, newest.step());
    return row && !newest.is_null(0) ? newest.integer(0) : first;
}

// Moves the cursor to the next branch; false: there is none.
Result<bool> next_branch(Connection& db, const ExportStart& start, ExportCursor& cursor) {
    const ConversationNo conversation = start.conversation.no;
    Branch parent;
    {
        auto found = db.use(
            "SELECT br, parent_br, fork_pos FROM branches WHERE conv = ?1 AND br > ?2 ORDER BY br LIMIT 1",
            conversation,
            cursor.branch
        );
        TRY(const bool row, found.step());
        if (!row) {
            return false;
        }
        cursor.branch = found.get<BranchNo>(0);
        parent.no = found.get<BranchNo>(1);
        parent.head = found.integer(2);
    }
    cursor.position = parent.head;
    cursor.last = parent.head;
    cursor.parent.reset();
    auto last = db.use(
        "SELECT pos FROM items WHERE conv = ?1 AND br = ?2 AND mid <= ?3 ORDER BY pos DESC LIMIT 1",
        conversation,
        cursor.branch,
        start.newest
    );
    TRY(const bool row, last.step());
    if (row) {
        cursor.last = last.integer(0);
        if (parent.head > 0) {
            TRY(const auto newest, find_newest_item(db, conversation, parent, Which::any));
            cursor.parent = newest ? std::optional(newest->id) : std::nullopt;
        }
    }
    return true;
}

}  // namespace

Result<std::optional<ExportStart>> next_export(Connection& db, UserNo user, std::optional<ConversationNo> after) {
    std::optional<ConversationId> id;
    {
        auto found = db.use(
            "SELECT id FROM conversations WHERE user_no = ?1 AND conv > ?2 AND deleted_at IS NULL AND hidden = 0 "
            "AND trashed_at IS NULL ORDER BY conv LIMIT 1",
            user,
            after.value_or(ConversationNo(0))
        );
        TRY(const bool row, found.step());
        if (!row) {
            return std::nullopt;
        }
        id = found.get<ConversationId>(0);
    }
    TRY(auto start, begin_export(db, user, *id));
    return start;
}

Result<ExportStart> begin_export(Connection& db, UserNo user, ConversationId id) {
    ExportStart start;
    TRY(start.conversation, find_conversation(db, user, id));
    TRY(const Branch active, load_branch(db, start.conversation.no, start.conversation.active_branch));
    start.head = active.head;
    TRY(start.newest, newest_body_key(db, user));
    return start;
}

Result<ExportPage> export_items(Connection& db, UserNo user, const ExportStart& start, ExportCursor cursor) {
    TRY_VOID(open_conversation(db, user, start.conversation.id));
    ExportPage page;
    page.next = cursor;
    for (int branches = 0; page.next.position >= page.next.last; ++branches) {
        TRY(const bool found, next_branch(db, start, page.next));
        if (!found) {
            page.done = true;
            return page;
        }
        if (branches == kBranchesPerPage) {
            return page;
        }
    }
    const Segment rest{page.next.branch, page.next.position + 1, page.next.last};
    const PageCaps caps{kExportRowsMax, kPageBytesMax, SIZE_MAX};
    TRY(auto items, load_items_ascending(db, start.conversation.no, std::span(&rest, 1), caps));
    for (Item& item : items.rows) {
        const std::optional<ItemId> parent = std::exchange(page.next.parent, item.id);
        item.parent = parent;
        page.next.position = item.position;
        page.items.push_back({std::move(item), parent});
    }
    if (!items.has_more) {
        page.next.position = page.next.last;
    }
    return page;
}

Result<Page<Item>> export_path(Connection& db, UserNo user, const ExportStart& start, Position position) {
    TRY_VOID(open_conversation(db, user, start.conversation.id));
    const ConversationNo conversation = start.conversation.no;
    TRY(const auto path, load_path(db, conversation, start.conversation.active_branch, position + 1, start.head));
    const PageCaps caps{kExportRowsMax, kPageBytesMax, SIZE_MAX};
    return load_items_ascending(db, conversation, path, caps);
}

}  // namespace confab::store::sqlite
