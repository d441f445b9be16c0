#include "llm/chat_request.hpp"

#include <gtest/gtest.h>

namespace confab::llm {
namespace {

std::string render(const ChatRequest& request, std::initializer_list<ChatMessage> messages) {
    std::string body;
    ChatRequestWriter writer(body);
    writer.begin(request);
    for (const ChatMessage& message : messages) {
        writer.message(message);
    }
    writer.end();
    EXPECT_TRUE(base::parse_json(body)) << body;
    return body;
}

TEST(ChatRequest, renders_the_least) {
    ChatRequest request;
    request.model = "m \"1\"";
    EXPECT_EQ(
        render(request, {{"user", "Hi\n"}}),
        R"({"model":"m \"1\"","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi\n"}]})"
    );
    request.stream = false;
    EXPECT_EQ(render(request, {}), R"({"model":"m \"1\"","stream":false,"messages":[]})");
}

TEST(ChatRequest, renders_every_setting) {
    ChatRequest request;
    request.model = "m";
    request.include_usage = false;
    request.output_tokens_max = 100;
    request.temperature = 0.7;
    request.top_p = 1;
    request.stop = {"a", "b"};
    request.extra_members = {{"seed", "7"}, {"reasoning_effort", "\"low\""}};
    EXPECT_EQ(
        render(request, {}),
        R"({"model":"m","stream":true,"max_tokens":100,"temperature":0.7,"top_p":1,"stop":["a","b"],"seed":7,"reasoning_effort":"low","messages":[]})"
    );
    request.token_limit_field = TokenLimitField::max_completion_tokens;
    EXPECT_NE(render(request, {}).find(R"("max_completion_tokens":100)"), std::string::npos);
}

TEST(ChatRequest, an_extra_member_does_not_double_one_that_is_there) {
    ChatRequest request;
    request.model = "m";
    request.temperature = 1;
    request.extra_members = {
        {"model", "\"x\""}, {"stream", "false"}, {"temperature", "0"}, {"top_p", "0.5"}, {"messages", "[]"}
    };
    EXPECT_EQ(
        render(request, {}),
        R"({"model":"m","stream":true,"stream_options":{"include_usage":true},"temperature":1,"top_p":0.5,"messages":[]})"
    );
}

TEST(ChatRequest, goes_through_a_buffer_that_is_emptied_between_messages) {
    ChatRequest request;
    request.model = "m";
    std::string buffer;
    std::string all;
    ChatRequestWriter writer(buffer);
    const auto drain = [&] { all += std::exchange(buffer, {}); };
    writer.begin(request);
    drain();
    writer.message({"system", "S"});
    drain();
    writer.raw_message(R"({"role":"tool","tool_call_id":"c","content":"r"})");
    drain();
    writer.message({"user", R"([{"type":"text","text":"t"}])", ContentFormat::json});
    writer.end();
    drain();
    EXPECT_NE(
        all.find(
            R"("messages":[{"role":"system","content":"S"},{"role":"tool","tool_call_id":"c","content":"r"},{"role":"user","content":[{"type":"text","text":"t"}]}]})"
        ),
        std::string::npos
    ) << all;
}

TEST(ChatContent, turns_one_text_into_a_string) {
    EXPECT_EQ(*chat_content(R"([{"type":"input_text","text":"a\"b"}])"), R"("a\"b")");
    EXPECT_EQ(*chat_content(R"([{"type":"output_text","text":"a","annotations":[]}])"), R"("a")");
    EXPECT_EQ(*chat_content(R"([{"type":"refusal","refusal":"no"}])"), R"("no")");
    EXPECT_EQ(*chat_content("[]"), R"("")");
}

TEST(ChatContent, translates_parts) {
    EXPECT_EQ(
        *chat_content(
            R"([{"type":"input_text","text":"what?"},{"type":"input_image","image_url":"data:image/png;base64,AA==","detail":"low","file_id":null}])"
        ),
        R"([{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}}])"
    );
    EXPECT_EQ(
        *chat_content(R"([{"type":"input_file","filename":"a.pdf","file_data":"data:x"}])"),
        R"([{"type":"file","file":{"filename":"a.pdf","file_data":"data:x"}}])"
    );
    const std::string chat =
        R"([{"type":"image_url","image_url":{"url":"u"}},{"type":"input_audio","input_audio":{"data":"d","format":"wav"}}])";
    EXPECT_EQ(*chat_content(chat), chat);
}

TEST(ChatContent, marks_where_an_image_of_a_file_belongs) {
    const std::string mark(1, kImageMark);
    EXPECT_EQ(
        *chat_content(R"([{"type":"input_text","text":"a"},{"type":"input_image","file_id":"file-1","detail":"low"}])"),
        R"([{"type":"text","text":"a"},)" + mark + "file-1 low" + mark + "]"
    );
    EXPECT_EQ(*chat_content(R"([{"type":"input_image","file_id":"file-1"}])"), "[" + mark + "file-1 " + mark + "]");
}

TEST(ChatContent, refuses_what_chat_completions_cannot_carry) {
    for (const std::string_view content : {
             R"([{"type":"input_image"}])",
             R"([{"type":"input_image","file_id":"file\u00011"}])",
             R"([{"type":"input_image","file_id":"file-1","detail":"a b"}])",
             R"([{"type":"input_file","file_id":"file-1"}])",
             R"([{"type":"computer_screenshot"}])",
             R"(["text"])",
             R"({"type":"input_text"})",
             "[",
         }) {
        const auto result = chat_content(content);
        ASSERT_FALSE(result) << content;
        EXPECT_EQ(result.error().errc, base::Errc::invalid_request);
    }
}

}  // namespace
}  // namespace confab::llm
