#include "llm/completion_stream.hpp"

#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "recorder.hpp"

namespace {

thread_local std::size_t allocations = 0;

}  // namespace

// Counts the allocations of this thread. All forms of `new` end in these.
void* operator new(std::size_t bytes) {
    ++allocations;
    if (void* memory = std::malloc(bytes)) {
        return memory;
    }
    throw std::bad_alloc();
}

void operator delete(void* memory) noexcept {
    std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace confab::llm {
namespace {

std::string event(std::string_view json) {
    return "data: " + std::string(json) + "\n\n";
}

std::string text_event(std::string_view text) {
    return event(R"({"choices":[{"index":0,"delta":{"content":")" + std::string(text) + R"("}}]})");
}

const std::string kStop = event(R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})");

Fault fault_of(const Outcome& outcome) {
    return outcome.fault() != nullptr ? *outcome.fault() : Fault{};
}

TEST(CompletionStream, is_done_at_the_done_mark_and_before_the_server_closes) {
    Recorder recorder;
    CompletionStream stream(recorder);
    stream.feed(text_event("a") + kStop);
    EXPECT_FALSE(stream.done());
    stream.feed("data: [DONE]\n\n");
    EXPECT_TRUE(stream.done());
    stream.feed(text_event("never"));
    EXPECT_EQ(recorder.text(), "a");
    EXPECT_EQ(std::get<FinishReason>(stream.finish().end), FinishReason::stop);
}

TEST(CompletionStream, delivers_each_delta_at_once) {
    Recorder recorder;
    CompletionStream stream(recorder);
    stream.feed(text_event("a"));
    EXPECT_EQ(recorder.text(), "a");
    stream.feed(text_event("b"));
    EXPECT_EQ(recorder.text(), "ab");
    EXPECT_EQ(recorder.calls(), 2U);
}

TEST(CompletionStream, keeps_what_fits_into_the_cap_and_then_fails) {
    for (const std::string_view field : {"content", "reasoning_content", "refusal"}) {
        Recorder recorder;
        CompletionStream stream(recorder, 10);
        const std::string delta = R"({"choices":[{"index":0,"delta":{")" + std::string(field) + R"(":"1234é"}}]})";
        stream.feed(event(delta));
        EXPECT_FALSE(stream.done());
        stream.feed(event(delta));
        EXPECT_TRUE(stream.done());
        EXPECT_EQ(fault_of(stream.finish()).kind, Fault::Kind::too_large);
        EXPECT_NE(recorder.rendered("").find("1234é1234\""), std::string::npos) << recorder.rendered("");
    }
}

TEST(CompletionStream, counts_tool_arguments_into_the_cap) {
    Recorder recorder;
    CompletionStream stream(recorder, 10);
    stream.feed(event(
        R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{\"abcdefghijkl"}}]}}]})"
    ));
    EXPECT_EQ(fault_of(stream.finish()).kind, Fault::Kind::too_large);
    EXPECT_EQ(recorder.rendered("\"c\""), "tool 0 id=c name=f \"{\\\"abcdefgh\"\n");
}

TEST(CompletionStream, refuses_too_many_tool_calls) {
    Recorder recorder;
    CompletionStream stream(recorder);
    for (int i = 0; i < 200; ++i) {
        stream.feed(event(
            R"({"choices":[{"delta":{"tool_calls":[{"index":)" + std::to_string(i) +
            R"(,"function":{"name":"f","arguments":"{}"}}]}}]})"
        ));
    }
    EXPECT_EQ(recorder.calls(), kToolCallsMax);
    EXPECT_EQ(fault_of(stream.finish()).code, "too_many_tool_calls");
}

TEST(CompletionStream, refuses_an_event_or_a_document_that_is_too_large) {
    for (const std::string_view begin : {"data: ", "{"}) {
        Recorder recorder;
        CompletionStream stream(recorder);
        stream.feed(begin);
        const std::string piece(1 << 20, ' ');
        for (int i = 0; i < 9 && !stream.done(); ++i) {
            stream.feed(piece);
            EXPECT_LE(stream.bytes_held(), 2 * kEventBytesMax + 1024);
        }
        EXPECT_TRUE(stream.done());
        EXPECT_EQ(fault_of(stream.finish()).kind, Fault::Kind::too_large) << begin;
    }
}

TEST(CompletionStream, knows_the_shape_of_the_body_by_its_first_byte) {
    const std::string document = R"({"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}]})";

    struct Case {
        std::string_view content_type;
        std::string body;
        std::string_view text;
    };

    for (const Case& expected : {
             Case{"text/event-stream", "\n " + document, "whole"},
             Case{"", "\xEF\xBB\xBF" + document, "whole"},
             Case{"application/json", text_event("mislabelled") + kStop, "mislabelled"},
             Case{"text/html", ": comment\n\n" + text_event("mislabelled") + kStop, "mislabelled"},
             Case{"", "\r\n\r\n" + text_event("late") + kStop, "late"},
         }) {
        Recorder recorder;
        CompletionStream stream(recorder);
        stream.begin(expected.content_type);
        stream.feed(expected.body);
        EXPECT_EQ(std::get<FinishReason>(stream.finish().end), FinishReason::stop) << expected.body;
        EXPECT_EQ(recorder.text(), expected.text);
    }
}

TEST(CompletionStream, names_what_is_no_answer_at_all) {
    for (const auto& [content_type, body] : {
             std::pair("text/html", "Sign in"),
             std::pair("application/json", "\"text\""),
             std::pair("application/json", "[]"),
             std::pair("application/json", "null"),
             std::pair("text/event-stream", "<html>"),
         }) {
        Recorder recorder;
        CompletionStream stream(recorder);
        stream.begin(content_type);
        stream.feed(body);
        const Outcome outcome = stream.finish();
        EXPECT_EQ(fault_of(outcome).kind, Fault::Kind::malformed) << body;
        EXPECT_NE(outcome.fault(), nullptr) << body;
    }
}

TEST(CompletionStream, reads_a_long_web_page_only_in_part) {
    Recorder recorder;
    CompletionStream stream(recorder);
    stream.feed("<title>Sign in</title>");
    stream.feed(std::string(100'000, 'x'));
    EXPECT_TRUE(stream.done());
    EXPECT_LT(stream.bytes_held(), 16U * 1024);
    EXPECT_EQ(fault_of(stream.finish()).message, "The model server answered with a web page: Sign in");
}

TEST(CompletionStream, maps_finish_reasons) {
    struct Case {
        std::string_view raw;
        FinishReason reason;
    };

    for (const Case& expected : {
             Case{"stop", FinishReason::stop},
             Case{"eos", FinishReason::stop},
             Case{"stop_sequence", FinishReason::stop},
             Case{"STOP", FinishReason::stop},
             Case{"max_tokens", FinishReason::length},
             Case{"model_length", FinishReason::length},
             Case{"function_call", FinishReason::tool_calls},
             Case{"tool_use", FinishReason::tool_calls},
             Case{"content_filter", FinishReason::content_filter},
             Case{"SAFETY", FinishReason::content_filter},
             Case{"something new", FinishReason::stop},
         }) {
        Recorder recorder;
        CompletionStream stream(recorder);
        stream.feed(
            text_event("a") +
            event(R"({"choices":[{"delta":{},"finish_reason":")" + std::string(expected.raw) + R"("}]})")
        );
        const Outcome outcome = stream.finish();
        ASSERT_EQ(outcome.fault(), nullptr);
        EXPECT_EQ(std::get<FinishReason>(outcome.end), expected.reason) << expected.raw;
        EXPECT_EQ(outcome.raw_finish_reason, expected.raw);
    }
}

TEST(CompletionStream, survives_nonsense_in_every_field) {
    for (const std::string_view json : {
             "1",
             "null",
             "\"text\"",
             "[]",
             "[1]",
             "{}",
             R"({"choices":1})",
             R"({"choices":[1,null,[]]})",
             R"({"choices":[{"delta":7}]})",
             R"({"choices":[{"delta":{"content":7}}]})",
             R"({"choices":[{"delta":{"content":[7,null,{}]}}]})",
             R"({"choices":[{"delta":{"tool_calls":7}}]})",
             R"({"choices":[{"delta":{"tool_calls":[7,null]}}]})",
             R"({"choices":[{"delta":{"reasoning_details":[7,{"text":8}]}}]})",
             R"({"choices":[{"finish_reason":7}]})",
             R"({"usage":7})",
             R"({"usage":{}})",
             R"({"x_groq":7})",
             R"({"error":null})",
             R"({"error":false})",
             R"({"error":""})",
             R"({"error":{}})",
         }) {
        Recorder recorder;
        CompletionStream stream(recorder);
        stream.feed(event(json) + text_event("a") + kStop);
        const Outcome outcome = stream.finish();
        EXPECT_EQ(outcome.fault(), nullptr) << json;
        EXPECT_EQ(recorder.text(), "a") << json;
        EXPECT_FALSE(outcome.usage) << json;
    }
}

TEST(CompletionStream, reads_token_counts_of_any_kind_of_number) {
    Recorder recorder;
    CompletionStream stream(recorder);
    stream.feed(
        kStop + event(R"({"choices":[],"usage":{"prompt_tokens":3.0,"completion_tokens":1e999,"total_tokens":-5}})")
    );
    EXPECT_EQ(stream.finish().usage, (Usage{3, 0, 0, 0, 3}));
}

TEST(CompletionStream, does_not_repeat_a_text_that_came_as_deltas) {
    Recorder recorder;
    CompletionStream stream(recorder);
    stream.feed(text_event("a") + event(R"({"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]})"));
    EXPECT_EQ(std::get<FinishReason>(stream.finish().end), FinishReason::stop);
    EXPECT_EQ(recorder.text(), "a");
}

TEST(CompletionStream, keeps_the_text_and_the_usage_of_a_failed_answer) {
    Recorder recorder;
    CompletionStream stream(recorder);
    stream.feed(
        text_event("half") + event(R"({"error":{"message":"out of memory","code":500},"usage":{"prompt_tokens":1}})")
    );
    EXPECT_TRUE(stream.done());
    const Outcome outcome = stream.finish();
    EXPECT_EQ(recorder.text(), "half");
    EXPECT_EQ(fault_of(outcome).message, "out of memory");
    EXPECT_EQ(fault_of(outcome).code, "500");
    EXPECT_EQ(outcome.usage->input_tokens, 1);
}

// The promise "flat": a token must not cost a trip to the allocator.
TEST(CompletionStream, allocates_nothing_per_token_in_a_steady_stream) {
    class Counter final : public CompletionSink {
    public:
        void on_text(std::string_view text) override { bytes += text.size(); }

        void on_reasoning(std::string_view text) override { bytes += text.size(); }

        void on_refusal(std::string_view) override {}

        void on_tool_call(const ToolCallDelta& delta) override { bytes += delta.arguments.size(); }

        std::size_t bytes = 0;
    } counter;

    const std::string envelope =
        R"({"id":"chatcmpl-C9xQ1","object":"chat.completion.chunk","created":1757000000,"model":"gpt-4o-mini-2024-07-18",)"
        R"("service_tier":"default","system_fingerprint":"fp_8bda4d3a2c","choices":[{"index":0,"delta":)";
    const std::string tail = R"(,"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x7Kq"})";
    const std::string bytes = event(envelope + R"({"content":" tokén"})" + tail) +
                              event(envelope + R"({"reasoning_content":" hm"})" + tail) +
                              event(envelope + R"({"tool_calls":[{"index":0,"function":{"arguments":"xx"}}]})" + tail);
    CompletionStream stream(counter);
    for (const std::size_t cut : {bytes.size(), bytes.size() / 2}) {
        for (int round = 0; round < 3; ++round) {  // the buffers grow to their size
            stream.feed(std::string_view(bytes).substr(0, cut));
            stream.feed(std::string_view(bytes).substr(cut));
        }
        const std::size_t before = allocations;
        for (int round = 0; round < 1000; ++round) {
            stream.feed(std::string_view(bytes).substr(0, cut));
            stream.feed(std::string_view(bytes).substr(cut));
        }
        EXPECT_EQ(allocations - before, 0U) << "cut at " << cut;
    }
    EXPECT_EQ(counter.bytes, 2006U * (7 + 3 + 2));
}

}  // namespace
}  // namespace confab::llm
