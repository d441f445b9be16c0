#include "store/sqlite/shares.hpp"

#include "base/clock.hpp"
#include "store/sqlite/conversations.hpp"
#include "store/sqlite/items.hpp"
#include "store/sqlite/settings.hpp"

namespace confab::store::sqlite {

namespace {

// What a link leads to.
struct OpenShare {
    UserNo owner{};
    ConversationNo conversation{};
    BranchNo branch{};
    Position end = 0;
    std::string title;
    UnixSeconds created_at = 0;
    std::optional<UnixSeconds> expires_at;
};

std::unexpected<base::Error> no_such_share() {
    return base::not_found(
        "There is nothing at this link. It may have expired, or its owner has withdrawn it.", "share_not_found"
    );
}

// The one place that decides whether a link is good.
Result<OpenShare> open_share(Connection& db, const Sha256& token_hash) {
    auto found = db.use(
        "SELECT s.user_no, s.conv, s.br, s.pos, s.title, s.created_at, s.expires_at FROM shares s "
        "CROSS JOIN conversations c ON c.conv = s.conv CROSS JOIN users u ON u.user_no = s.user_no "
        "WHERE s.token_hash = ?1 AND (s.expires_at IS NULL OR s.expires_at > ?2) "
        "AND c.deleted_at IS NULL AND c.trashed_at IS NULL AND c.hidden = 0 "
        "AND u.deleted_at IS NULL AND u.suspended_at IS NULL AND u.role <> 2 "
        "AND NOT EXISTS (SELECT 1 FROM settings WHERE name = ?3 AND value = 'off')",
        token_hash,
        base::unix_now(),
        kSettingSharing
    );
    TRY(const bool row, found.step());
    if (!row) {
        return no_such_share();
    }
    OpenShare share;
    share.owner = found.get<UserNo>(0);
    share.conversation = found.get<ConversationNo>(1);
    share.branch = found.get<BranchNo>(2);
    share.end = found.integer(3);
    share.title = found.get<std::string>(4);
    share.created_at = found.integer(5);
    share.expires_at = found.get<std::optional<UnixSeconds>>(6);
    return share;
}

Status check_share_count(Connection& db, UserNo user) {
    auto counted = db.use("SELECT count(*) FROM shares WHERE user_no = ?1", user);
    TRY_VOID(counted.step());
    if (counted.integer(0) >= kSharesPerUserMax) {
        return base::invalid("conversation", "There are 1,000 shares already. Revoke some first.", "too_many_shares");
    }
    return {};
}

// Columns: id, conversation, title, created_at, expires_at.
Share read_share_row(const Statement& row) {
    Share share;
    share.id = row.get<ShareId>(0);
    share.conversation = row.get<ConversationId>(1);
    share.title = row.get<std::string>(2);
    share.created_at = row.integer(3);
    share.expires_at = row.get<std::optional<UnixSeconds>>(4);
    return share;
}

#define SHARES_LISTED                                                                   \
    "SELECT s.id, c.id, c.title, s.created_at, s.expires_at FROM shares s " \
    "CROSS JOIN conversations c ON c.conv = s.conv "

Statement list_shares_of(
    Connection& db,
    UserNo user,
    const std::optional<ConversationNo>& conversation,
    Order order,
    ShareId after,
    std::size_t limit
) {
    const bool ascending = order == Order::ascending;
    if (conversation) {
        constexpr Sql kOldest{SHARES_LISTED "WHERE s.conv = ?1 AND s.id > ?2 ORDER BY s.id LIMIT ?3"};
        constexpr Sql kNewest{SHARES_LISTED "WHERE s.conv = ?1 AND s.id < ?2 ORDER BY s.id DESC LIMIT ?3"};
        return db.use(ascending ? kOldest : kNewest, *conversation, after, limit);
    }
    constexpr Sql kOldest{SHARES_LISTED "WHERE s.user_no = ?1 AND s.id > ?2 ORDER BY s.id LIMIT ?3"};
    constexpr Sql kNewest{SHARES_LISTED "WHERE s.user_no = ?1 AND s.id < ?2 ORDER BY s.id DESC LIMIT ?3"};
    return db.use(ascending ? kOldest : kNewest, user, after, limit);
}

#undef SHARES_LISTED

}  // namespace

Result<Share> create_share(Connection& db, UserNo user, ConversationId conversation, const NewShare& share) {
    TRY(const auto sharing, get_setting(db, std::string(kSettingSharing)));
    if (sharing == "off") {
        return base::fail(base::Errc::forbidden, "An administrator has turned sharing off.", "sharing_off");
    }
    TRY(const Conversation shown, find_conversation(db, user, conversation));
    if (shown.trashed_at) {
        return conversation_in_trash();
    }
    if (!shown.head) {
        return base::invalid("conversation", "There is nothing in this conversation yet.", "nothing_to_share");
    }
    TRY_VOID(check_share_count(db, user));
    TRY(const Branch branch, load_branch(db, shown.no, shown.active_branch));
    TRY_VOID(db.run(
        "INSERT INTO shares (id, token_hash, user_no, conv, br, pos, title, created_at, expires_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        share.id,
        share.token_hash,
        user,
        shown.no,
        branch.no,
        branch.head,
        shown.title,
        share.created_at,
        share.expires_at
    ));
    return Share{share.id, shown.id, shown.title, share.created_at, share.expires_at};
}

Result<Page<Share>> list_shares(
    Connection& db,
    UserNo user,
    const std::optional<ConversationId>& conversation,
    const PageRequest<ShareId>& request
) {
    ShareId end;
    end.bytes.fill(request.order == Order::ascending ? 0x00 : 0xFF);
    std::optional<ConversationNo> only;
    if (conversation) {
        TRY(const ConversationHandle handle, open_conversation(db, user, *conversation));
        only = handle.no;
    }
    auto rows = list_shares_of(db, user, only, request.order, request.after.value_or(end), request.limit + 1);
    Page<Share> page;
    while (true) {
        TRY(const bool row, rows.step());
        page.has_more = row && page.rows.size() == request.limit;
        if (!row || page.has_more) {
            return page;
        }
        page.rows.push_back(read_share_row(rows));
    }
}

Status delete_share(Connection& db, UserNo user, ShareId id) {
    TRY_VOID(db.run("DELETE FROM shares WHERE id = ?1 AND user_no = ?2", id, user));
    if (db.changed_rows() == 0) {
        return base::not_found("Share with id '" + id.str() + "' not found.", "share_not_found");
    }
    return {};
}

Status delete_shares_expired_before(Connection& db, UnixSeconds time) {
    return db.run("DELETE FROM shares WHERE expires_at IS NOT NULL AND expires_at < ?1", time);
}

Status delete_shares_of(Connection& db, ConversationNo conversation) {
    return db.run("DELETE FROM shares WHERE conv = ?1", conversation);
}

Result<SharedPage> read_share(Connection& db, const Sha256& token_hash, Position after, std::size_t limit) {
    TRY(OpenShare share, open_share(db, token_hash));
    SharedPage page;
    if (after < share.end) {
        TRY(const auto path, load_path(db, share.conversation, share.branch, after + 1, share.end));
        TRY(static_cast<Page<Item>&>(page),
            load_items_ascending(db, share.conversation, path, PageCaps{limit}, Which::said));
    }
    page.title = std::move(share.title);
    page.created_at = share.created_at;
    page.expires_at = share.expires_at;
    return page;
}

Result<SharedItem> read_shared_item(Connection& db, const Sha256& token_hash, Position position) {
    TRY(const OpenShare share, open_share(db, token_hash));
    if (position < 1 || position > share.end) {
        return no_such_share();
    }
    TRY(const auto path, load_path(db, share.conversation, share.branch, position, position));
    const PageCaps whole{1, SIZE_MAX, SIZE_MAX};
    TRY(auto page, load_items_ascending(db, share.conversation, path, whole, Which::said));
    if (page.rows.empty()) {
        return no_such_share();
    }
    return SharedItem{share.owner, std::move(page.rows.front())};
}

}  // namespace confab::store::sqlite
