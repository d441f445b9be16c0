#include "llm/delta_template.hpp"

#include <gtest/gtest.h>

#include "llm/completion_stream.hpp"

namespace confab::llm {
namespace {

std::string chunk(std::string_view content, std::string_view id = "1") {
    return R"({"id":")" + std::string(id) + R"(","choices":[{"index":0,"delta":{"content":")" + std::string(content) +
           R"("},"finish_reason":null}]})";
}

TEST(DeltaTemplate, FindsTheTextBetweenWhatRepeats) {
    DeltaTemplate learnt;
    EXPECT_FALSE(learnt.match(chunk("Hello")));
    learnt.learn(chunk("Hello"), "Hello");
    EXPECT_EQ(learnt.match(chunk(" world")), " world");
    EXPECT_EQ(learnt.match(chunk("é")), "é");
    EXPECT_EQ(learnt.match(chunk("")), "");
}

TEST(DeltaTemplate, LeavesEverythingElseToTheParser) {
    DeltaTemplate learnt;
    learnt.learn(chunk("Hello"), "Hello");
    EXPECT_FALSE(learnt.match(chunk("a\\nb")));
    EXPECT_FALSE(learnt.match(chunk("a\",\"refusal\":\"b")));
    EXPECT_FALSE(learnt.match(chunk("a\tb")));
    EXPECT_FALSE(learnt.match(chunk("\xC3")));
    EXPECT_FALSE(learnt.match(chunk("Hello", "2")));
    EXPECT_FALSE(learnt.match(chunk("Hello") + " "));
    EXPECT_FALSE(learnt.match(""));
}

TEST(DeltaTemplate, LearnsOnlyWhatIsUnmistakable) {
    DeltaTemplate learnt;
    learnt.learn(R"({"content":"a","message":{"content":"a"}})", "a");  // said twice
    EXPECT_FALSE(learnt.match(R"({"content":"b","message":{"content":"a"}})"));
    learnt.learn(R"({"text":"a"})", "a");  // another key
    EXPECT_FALSE(learnt.match(R"({"text":"b"})"));
    learnt.learn(R"({"content":"\u0061"})", "a");  // escaped
    EXPECT_FALSE(learnt.match(R"({"content":"b"})"));
}

TEST(DeltaTemplate, GivesUpOnAServerThatAlwaysChangesMore) {
    DeltaTemplate learnt;
    for (int i = 0; i < 20; ++i) {
        learnt.learn(chunk("a", std::to_string(i)), "a");
    }
    EXPECT_FALSE(learnt.match(chunk("b", "19")));
    EXPECT_TRUE(learnt.match(chunk("b", "7")));
}

// What the stream makes of events must not depend on whether one of them was recognised or parsed.
class DeltaRecorder : public CompletionSink {
public:
    void on_text(std::string_view text) override { said += "t:" + std::string(text) + "\n"; }

    void on_reasoning(std::string_view text) override { said += "r:" + std::string(text) + "\n"; }

    void on_refusal(std::string_view text) override { said += "f:" + std::string(text) + "\n"; }

    void on_tool_call(const ToolCallDelta& delta) override { said += "c:" + std::string(delta.arguments) + "\n"; }

    std::string said;
};

std::string said_of(const std::vector<std::string>& events) {
    DeltaRecorder sink;
    CompletionStream stream(sink);
    stream.begin("text/event-stream");
    for (const std::string& data : events) {
        stream.feed("data: " + data + "\n\n");
    }
    (void)stream.finish();
    return sink.said;
}

TEST(DeltaTemplate, AnEventThatAlsoBringsSomethingElseIsNotATemplate) {
    const auto with_reasoning = [](std::string_view text) {
        return R"({"choices":[{"index":0,"delta":{"content":")" + std::string(text) + R"(","reasoning":"hm"}}]})";
    };
    EXPECT_EQ(said_of({with_reasoning("a"), with_reasoning("b")}), "r:hm\nt:a\nr:hm\nt:b\n");
    const auto with_refusal = [](std::string_view text) {
        return R"({"choices":[{"index":0,"delta":{"content":")" + std::string(text) + R"(","refusal":"no"}}]})";
    };
    EXPECT_EQ(said_of({with_refusal("a"), with_refusal("b")}), "t:a\nf:no\nt:b\nf:no\n");
}

TEST(DeltaTemplate, AnErrorAfterTextIsSeen) {
    DeltaRecorder sink;
    CompletionStream stream(sink);
    stream.feed("data: " + chunk("a") + "\n\ndata: " + chunk("b") + "\n\nevent: error\ndata: " + chunk("c") + "\n\n");
    EXPECT_TRUE(stream.done());
    EXPECT_EQ(sink.said, "t:a\nt:b\nt:c\n");  // parsed, not recognised: what an error event says is kept
    EXPECT_NE(stream.finish().fault(), nullptr);
}

TEST(DeltaTemplate, TheAnswerLimitHoldsForRecognisedEventsToo) {
    DeltaRecorder sink;
    CompletionStream stream(sink, 5);
    for (int i = 0; i < 10; ++i) {
        stream.feed("data: " + chunk("abc") + "\n\n");
    }
    EXPECT_TRUE(stream.done());
    EXPECT_EQ(sink.said, "t:abc\nt:ab\n");
}

}  // namespace
}  // namespace confab::llm
