// A message as ChatGPT, Claude and Open WebUI export it -> a SourceMessage.
#pragma once

#include "base/json.hpp"
#include "transfer/source_model.hpp"

namespace confab::transfer {

// What could not be taken of a message that was taken.
struct LeftOut {
    std::int64_t images = 0;  // and other files
};

// A member of `mapping`: the message, its parent, whatever kind of content it has. One that is hidden or empty only
// joins others. Error: `invalid_request` (invalid_message).
base::Result<SourceMessage> read_chatgpt_node(
    std::string_view key,
    const base::json::value& value,
    LeftOut& left_out
);

// An element of `chat_messages`; `previous` is the id of the one before it, which older exports do not name.
base::Result<SourceMessage> read_claude_message(
    const base::json::value& value,
    const std::string& previous,
    std::size_t index,
    LeftOut& left_out
);

// A member of `chat.history.messages`.
base::Result<SourceMessage> read_openwebui_message(
    std::string_view key,
    const base::json::value& value,
    LeftOut& left_out
);

}  // namespace confab::transfer
