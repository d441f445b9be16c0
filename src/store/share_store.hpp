// ShareStore: conversations that their owners show to whoever has a link.
//
// A share is a snapshot of one path: what comes later, on this branch or another, does not change it. What its owner
// deletes is gone from it as well, and it ends with its conversation.
#pragma once

#include <optional>

#include "base/error.hpp"
#include "net/task.hpp"
#include "store/share_rows.hpp"

namespace confab::store {

class ShareStore {
public:
    virtual ~ShareStore() = default;

    // Shares the path shown, as it is now; costs the same at any length. `forbidden` (sharing_off), `conflict`
    // (conversation_in_trash), `invalid_request` (nothing_to_share, too_many_shares).
    virtual net::Task<base::Result<Share>> create_share(UserNo user, ConversationId conversation, NewShare share) = 0;
    // By id, that is by time of making; of one conversation or of all.
    virtual net::Task<base::Result<Page<Share>>> list_shares(
        UserNo user,
        std::optional<ConversationId> conversation,
        PageRequest<ShareId> request
    ) = 0;
    virtual net::Task<base::Status> delete_share(UserNo user, ShareId id) = 0;
    virtual net::Task<base::Status> delete_shares_expired_before(UnixSeconds time) = 0;

    // For whoever has the link; `not_found` alike when there is none, it has expired or was revoked, its conversation is
    // in the trash or gone, its owner may not enter, or sharing is off. Without reasoning; oldest first, from after a
    // position on.
    virtual net::Task<base::Result<SharedPage>> read_share(Sha256 token_hash, Position after, std::size_t limit) = 0;
    // The whole item at a position of the path.
    virtual net::Task<base::Result<SharedItem>> read_shared_item(Sha256 token_hash, Position position) = 0;
};

}  // namespace confab::store
