// ForeignReader: conversations.json of ChatGPT and Claude, and Open WebUI's export: an array of conversations, or one
// alone. What it is shows in each conversation: `mapping`, `chat_messages`, or `chat`.
//
// One for each stream. In memory there is one message at a time.
#pragma once

#include <map>
#include <string>

#include "transfer/conversation_builder.hpp"
#include "transfer/foreign_messages.hpp"
#include "transfer/json_splitter.hpp"

namespace confab::transfer {

class ForeignReader {
public:
    ForeignReader(ConversationBuilder& builder, ImportReport& report);

    // Errors: malformed_json, and those of the store.
    net::Task<base::Status> take(std::string_view piece);

    // After the last piece. Errors: truncated.
    base::Status finish();

private:
    enum class Format : std::uint8_t { unknown, chatgpt, claude, openwebui };

    JsonSplitter::Step decide(const std::vector<std::string>& path, char kind);
    std::size_t depth() const;  // of the event's value below its conversation; SIZE_MAX: above it
    net::Task<base::Status> take_event(JsonSplitter::Event event);
    base::Status take_value();
    base::Status take_message();
    base::Result<SourceMessage> read_message(const base::json::value& value);
    SourceMessage joining(const base::json::value& value) const;
    void take_too_large();
    base::Status begin_conversation();
    net::Task<base::Status> end_conversation();
    SourceConversation conversation() const;
    const base::json::value* known(const std::string& name) const;
    std::string known_text(const std::string& name) const;
    std::string where() const;

    ConversationBuilder& builder_;
    ImportReport& report_;
    JsonSplitter splitter_;
    std::size_t base_ = 0;  // length of the path of a conversation
    std::size_t number_ = 0;
    Format format_ = Format::unknown;  // of this conversation
    std::map<std::string, base::json::value> known_;  // members besides the messages, "chat.title"
    std::string previous_;             // id of the message before
    std::size_t messages_ = 0;
    LeftOut left_out_;
    bool given_up_ = false;  // with this conversation
};

}  // namespace confab::transfer
