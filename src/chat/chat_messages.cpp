#include "chat/chat_messages.hpp"

#include <algorithm>

namespace confab::chat {

namespace {

void render_call(std::string& text, const base::json::object& call) {
    const std::string_view arguments = base::find_string(call, "arguments");
    base::JsonWriter out(text);
    out.begin_object();
    out.member("id", base::find_string(call, "call_id"));
    out.member("type", "function");
    out.key("function");
    out.begin_object();
    out.member("name", base::find_string(call, "name"));
    out.member("arguments", arguments.empty() ? std::string_view("{}") : arguments);
    out.end_object();
    if (const base::json::value* extra = base::find(call, "extra_content")) {
        out.raw_member("extra_content", base::to_string(*extra));
    }
    out.end_object();
}

}  // namespace

void ChatMessages::message(std::string_view role, std::string content) {
    if (role == "assistant" && !calls_.empty()) {  // a text between calls and their outputs must not part them
        if (!content_.empty()) {
            llm::ChatMessage earlier;
            earlier.role = role;
            earlier.content = content_;
            earlier.format = llm::ContentFormat::json;
            writer_.message(earlier);
        }
        content_ = std::move(content);
        return;
    }
    flush();
    answer_rest();
    if (role == "assistant") {
        content_ = std::move(content);
        return;
    }
    llm::ChatMessage message;
    message.role = role;
    message.content = content;
    message.format = llm::ContentFormat::json;
    writer_.message(message);
}

base::Status ChatMessages::function_call(std::string_view call) {
    TRY(const base::json::value parsed, base::parse_json(call));
    const base::json::object* object = parsed.if_object();
    if (object == nullptr || base::find_string(*object, "name").empty()) {
        return {};
    }
    if (calls_.empty()) {
        answer_rest();
    }
    if (!calls_.empty()) {
        calls_ += ',';
    }
    render_call(calls_, *object);
    unanswered_.emplace_back(base::find_string(*object, "call_id"));
    return {};
}

void ChatMessages::function_call_output(std::string_view call_id, std::string_view content) {
    const auto call = std::ranges::find(unanswered_, call_id);
    if (call == unanswered_.end()) {
        return;
    }
    unanswered_.erase(call);
    flush();
    std::string text;
    base::JsonWriter out(text);
    out.begin_object();
    out.member("role", "tool");
    out.member("tool_call_id", call_id);
    out.raw_member("content", content);
    out.end_object();
    writer_.raw_message(text);
}

void ChatMessages::finish() {
    flush();
    answer_rest();
}

// The assistant's message that is held back.
void ChatMessages::flush() {
    if (content_.empty() && calls_.empty()) {
        return;
    }
    std::string text;
    base::JsonWriter out(text);
    out.begin_object();
    out.member("role", "assistant");
    out.raw_member("content", content_.empty() ? std::string_view("null") : std::string_view(content_));
    if (!calls_.empty()) {
        out.raw_member("tool_calls", "[" + calls_ + "]");
    }
    out.end_object();
    content_.clear();
    calls_.clear();
    writer_.raw_message(text);
}

void ChatMessages::answer_rest() {
    std::string content;
    base::JsonWriter(content).value(kNoToolOutput);
    while (!unanswered_.empty()) {
        const std::string call_id = unanswered_.front();
        function_call_output(call_id, content);
    }
}

}  // namespace confab::chat
