// Deleting conversations. The conversation is gone for its owner at once; its texts are wiped in the same transaction
// when they are few, and otherwise in bounded steps between other people's writes. conversations.wiping remembers what
// is left, also through a crash.
#pragma once

#include <optional>

#include "store/rows.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

// Returns the run that was in progress on any of its branches, preferably the active one.
Result<std::optional<ResponseId>> delete_conversation(Connection& db, UserNo user, ConversationId id);

// Marks it deleted and does the first step. For hidden conversations that nothing refers to any more.
Status wipe_conversation(Connection& db, ConversationNo conversation);

// Has a deleted conversation looked at again, because rows came after it was wiped.
Status wipe_again(Connection& db, ConversationNo conversation);

// One bounded step of what is left to wipe; true: there may be more. The writer's housekeeping.
Result<bool> wipe_step(Connection& db);

}  // namespace confab::store::sqlite
