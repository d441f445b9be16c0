// ChatMessages: items of a conversation -> messages of a chat completion.
//
// A model server wants each tool call answered right after the message that made it. So calls that follow one another
// become one assistant message, with the text before them; a call that nobody answered gets a stand-in for its output,
// and an output without its call is left out.
#pragma once

#include <string>
#include <vector>

#include "llm/chat_request.hpp"
#include "store/rows.hpp"

namespace confab::chat {

// What the model is told of a call whose output was never given.
inline constexpr std::string_view kNoToolOutput = "(no output)";

class ChatMessages {
public:
    explicit ChatMessages(llm::ChatRequestWriter& writer) : writer_(writer) {}

    // `content` is rendered JSON: a text or an array of chat parts.
    void message(std::string_view role, std::string content);

    // `call` is the body of a function_call item. One without a name is left out, and so is its output.
    base::Status function_call(std::string_view call);

    void function_call_output(std::string_view call_id, std::string_view content);

    // Writes what is held back. Nothing may follow.
    void finish();

private:
    void flush();
    void answer_rest();

    llm::ChatRequestWriter& writer_;
    std::string content_;                  // of an assistant's message held back; empty: none
    std::string calls_;                    // rendered, separated by commas
    std::vector<std::string> unanswered_;  // ids of the calls that have no output yet
};

}  // namespace confab::chat
