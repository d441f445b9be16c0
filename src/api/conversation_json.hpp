// How conversations look to clients.
#pragma once

#include "api/context.hpp"

namespace confab::api {

void render_conversation(std::string& out, const store::Conversation& conversation);

Reply conversation_reply(const store::Conversation& conversation);

}  // namespace confab::api
