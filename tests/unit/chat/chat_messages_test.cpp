#include "chat/chat_messages.hpp"

#include <gmock/gmock.h>

namespace confab::chat {
namespace {

class ChatMessagesTest : public testing::Test {
protected:
    ChatMessagesTest() { writer_.begin({}); }

    void call(const std::string& id, const std::string& extra = {}) {
        const auto added =
            messages_.function_call(R"({"call_id":")" + id + R"(","name":"n","arguments":"{\"a\":1}")" + extra + "}");
        EXPECT_TRUE(added);
    }

    // "role" or "role:content" of each message, and "+id" for each call it makes.
    std::vector<std::string> written() {
        messages_.finish();
        writer_.end();
        body_ = base::parse_json(text_).value();
        std::vector<std::string> all;
        for (const auto& value : body_.at("messages").as_array()) {
            const auto& message = value.as_object();
            std::string line(base::find_string(message, "role"));
            if (const auto* id = base::find(message, "tool_call_id")) {
                line += "(" + std::string(id->as_string()) + ")";
            }
            if (message.at("content").is_string()) {
                line += ":" + std::string(message.at("content").as_string());
            }
            if (const auto* calls = base::find(message, "tool_calls")) {
                for (const auto& one : calls->as_array()) {
                    line += "+" + std::string(one.at("id").as_string());
                }
            }
            all.push_back(line);
        }
        return all;
    }

    std::string text_;
    base::json::value body_;
    llm::ChatRequestWriter writer_{text_};
    ChatMessages messages_{writer_};
};

using Lines = std::vector<std::string>;

TEST_F(ChatMessagesTest, PlainMessagesAreAsTheyAre) {
    messages_.message("system", "\"s\"");
    messages_.message("user", "\"q\"");
    messages_.message("assistant", "\"a\"");
    messages_.message("assistant", "\"b\"");
    messages_.message("user", "\"q\"");
    EXPECT_EQ(written(), (Lines{"system:s", "user:q", "assistant:a", "assistant:b", "user:q"}));
    EXPECT_NE(text_.find(R"({"role":"assistant","content":"a"})"), std::string::npos) << text_;
}

TEST_F(ChatMessagesTest, CallsJoinTheTextBeforeThem) {
    messages_.message("user", "\"q\"");
    messages_.message("assistant", "\"let me see\"");
    call("1");
    call("2", R"(,"extra_content":{"sign":"x"})");
    messages_.function_call_output("2", "\"two\"");
    messages_.function_call_output("1", "\"one\"");
    messages_.message("assistant", "\"so\"");
    EXPECT_EQ(written(), (Lines{"user:q", "assistant:let me see+1+2", "tool(2):two", "tool(1):one", "assistant:so"}));
    const auto& calls = body_.at("messages").at(1).at("tool_calls");
    EXPECT_EQ(
        base::to_string(calls.at(0)), R"({"id":"1","type":"function","function":{"name":"n","arguments":"{\"a\":1}"}})"
    );
    EXPECT_EQ(calls.at(1).at("extra_content").at("sign"), "x");
}

TEST_F(ChatMessagesTest, CallsWithoutATextHaveNoContent) {
    call("1");
    messages_.function_call_output("1", "\"one\"");
    call("2");
    messages_.function_call_output("2", "\"two\"");
    EXPECT_EQ(written(), (Lines{"assistant+1", "tool(1):one", "assistant+2", "tool(2):two"}));
    EXPECT_TRUE(body_.at("messages").at(0).at("content").is_null());
}

TEST_F(ChatMessagesTest, ATextAfterACallDoesNotPartItFromItsOutput) {
    messages_.message("assistant", "\"a\"");
    call("1");
    messages_.message("assistant", "\"b\"");
    call("2");
    messages_.function_call_output("1", "\"one\"");
    messages_.function_call_output("2", "\"two\"");
    EXPECT_EQ(written(), (Lines{"assistant:a", "assistant:b+1+2", "tool(1):one", "tool(2):two"}));
}

TEST_F(ChatMessagesTest, ACallNobodyAnsweredGetsAStandIn) {
    call("1");
    call("2");
    messages_.function_call_output("1", "\"one\"");
    messages_.message("user", "\"never mind\"");
    messages_.function_call_output("2", "\"too late\"");
    call("3");
    EXPECT_EQ(
        written(),
        (Lines{
            "assistant+1+2",
            "tool(1):one",
            "tool(2):(no output)",
            "user:never mind",
            "assistant+3",
            "tool(3):(no output)",
        })
    );
}

TEST_F(ChatMessagesTest, AnOutputWithoutItsCallIsLeftOut) {
    messages_.function_call_output("1", "\"one\"");
    messages_.message("user", "\"q\"");
    EXPECT_EQ(written(), (Lines{"user:q"}));
}

TEST_F(ChatMessagesTest, ACallWithoutANameIsLeftOutAndEmptyArgumentsAreAnObject) {
    EXPECT_TRUE(messages_.function_call(R"({"call_id":"1","name":"","arguments":"{}"})"));
    EXPECT_TRUE(messages_.function_call(R"({"call_id":"2","name":"n","arguments":""})"));
    EXPECT_EQ(written(), (Lines{"assistant+2", "tool(2):(no output)"}));
    EXPECT_EQ(body_.at("messages").at(0).at("tool_calls").at(0).at("function").at("arguments"), "{}");
}

}  // namespace
}  // namespace confab::chat
