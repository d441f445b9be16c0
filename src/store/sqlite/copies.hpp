// Copying a path into a new conversation, in steps. The copy is hidden until it is whole; what a crash leaves of it is
// wiped at the next start.
#pragma once

#include "store/sqlite/conversations.hpp"

namespace confab::store::sqlite {

// A copy under way.
struct Copy {
    UserNo user{};
    ConversationNo from{};
    BranchNo from_branch{};
    Position last = 0;  // of the source's path
    ConversationNo to{};
    ConversationId to_id;
    // The run that made the item copied last, and its copy.
    std::optional<RunNo> from_run;
    std::optional<RunNo> to_run;
    Position next = 1;  // the first position that is not copied yet
};

// Makes the empty, hidden copy. `not_found` (item_not_found, param item_id).
Result<Copy> begin_copy(Connection& db, UserNo user, ConversationId id, ItemId item);

// Copies some more; the copy is complete when `next` is beyond `last`. `not_found` when the source is gone.
Result<Copy> copy_some(Connection& db, Copy copy);

// Shows it. `not_found` when the source is gone.
Result<Conversation> finish_copy(Connection& db, const Copy& copy);

// Gives up: what was copied is wiped.
Status abandon_copy(Connection& db, const Copy& copy);

// At start: wipes what a crash left. In steps, by wipe_step.
Status abandon_all_copies(Connection& db);

}  // namespace confab::store::sqlite
