// Shares. The meaning of each call is that of ShareStore; a call that changes something expects a transaction.
#pragma once

#include <optional>

#include "store/share_rows.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

Result<Share> create_share(Connection& db, UserNo user, ConversationId conversation, const NewShare& share);
Result<Page<Share>> list_shares(
    Connection& db,
    UserNo user,
    const std::optional<ConversationId>& conversation,
    const PageRequest<ShareId>& request
);
Status delete_share(Connection& db, UserNo user, ShareId id);
Status delete_shares_expired_before(Connection& db, UnixSeconds time);

Result<SharedPage> read_share(Connection& db, const Sha256& token_hash, Position after, std::size_t limit);
Result<SharedItem> read_shared_item(Connection& db, const Sha256& token_hash, Position position);

// A conversation that is wiped takes its shares with it.
Status delete_shares_of(Connection& db, ConversationNo conversation);

}  // namespace confab::store::sqlite
