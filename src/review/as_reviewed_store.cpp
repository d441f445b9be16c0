#include "review/as_reviewed_store.hpp"

#include "base/clock.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::review {

namespace {

using base::Result;
using base::Status;
using store::sqlite::Access;
using store::sqlite::Connection;

// What the open connection counts into; nobody reads it, for the review counts from outside.
meter::StoreCounters unread_counters;

Result<std::unique_ptr<Connection>> connect(const std::string& path) {
    return Connection::open(path, Access::read_write, unread_counters);
}

Status insert(Connection& connection, std::int64_t conversation, std::int64_t user, const LoadedMessage& message) {
    std::int64_t position = 0;
    std::int64_t total = 0;
    const auto tokens = static_cast<std::int64_t>(message.text.size() / 4);
    {
        auto head = connection.use("SELECT head_pos, head_cum_tok FROM branches WHERE conv = ?1 AND br = 1", conversation);
        TRY_VOID(head.step());
        position = head.integer(0) + 1;
        total = head.integer(1) + tokens;
    }
    std::int64_t mid = 0;
    {
        auto newest = connection.use(
            "SELECT coalesce(max(mid), ?1) + 1 FROM bodies WHERE mid BETWEEN ?1 AND ?2",
            user << 40,
            ((user + 1) << 40) - 1
        );
        TRY_VOID(newest.step());
        mid = newest.integer(0);
    }
    TRY_VOID(connection.run(
        "INSERT INTO bodies (mid, item_id, conv, br, pos, body) VALUES (?1, ?2, ?3, 1, ?4, ?5)",
        mid,
        base::ItemId::make(),
        conversation,
        position,
        store::sqlite::Borrowed{message.text}
    ));
    TRY_VOID(connection.run(
        "INSERT INTO items (conv, br, pos, mid, role, status, format, tok, cum_tok, bytes, created_at) "
        "VALUES (?1, 1, ?2, ?3, ?4, 0, 0, ?5, ?6, ?7, ?8)",
        conversation,
        position,
        mid,
        message.assistant ? 1 : 0,
        tokens,
        total,
        static_cast<std::int64_t>(message.text.size()),
        base::unix_now()
    ));
    return connection.run(
        "UPDATE branches SET head_pos = ?2, head_cum_tok = ?3 WHERE conv = ?1 AND br = 1", conversation, position, total
    );
}

}  // namespace

Result<AsReviewedStore::Place> AsReviewedStore::find(const std::string& conversation_id) const {
    const auto id = base::ConversationId::parse(conversation_id);
    if (!id) {
        return base::not_found("There is no such conversation.");
    }
    TRY(const auto connection, connect(path_));
    auto row = connection->use("SELECT conv, user_no FROM conversations WHERE id = ?1", *id);
    TRY(const bool found, row.step());
    if (!found) {
        return base::not_found("There is no such conversation.");
    }
    return Place{row.integer(0), row.integer(1)};
}

Result<std::vector<LoadedMessage>> AsReviewedStore::load_history(const std::string& conversation_id) const {
    TRY(const Place place, find(conversation_id));
    TRY(const auto connection, connect(path_));
    auto rows = connection->use(
        "SELECT b.item_id, i.role, b.body FROM items i JOIN bodies b ON b.mid = i.mid "
        "WHERE i.conv = ?1 AND i.br = 1 AND i.deleted_at IS NULL ORDER BY i.pos",
        place.conversation
    );
    std::vector<LoadedMessage> history;
    while (true) {
        TRY(const bool more, rows.step());
        if (!more) {
            return history;
        }
        history.push_back({rows.get<base::ItemId>(0).str(), rows.integer(1) == 1, std::string(rows.bytes(2))});
    }
}

Status AsReviewedStore::store_message(const std::string& conversation_id, const LoadedMessage& message) const {
    TRY(const Place place, find(conversation_id));
    TRY(const auto connection, connect(path_));
    TRY_VOID(connection->run("BEGIN IMMEDIATE"));
    if (auto inserted = insert(*connection, place.conversation, place.user, message); !inserted) {
        (void)connection->run("ROLLBACK");
        return inserted;
    }
    return connection->run("COMMIT");
}

}  // namespace confab::review
