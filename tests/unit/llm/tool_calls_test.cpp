#include "llm/tool_calls.hpp"

#include <gtest/gtest.h>

#include "recorder.hpp"

namespace confab::llm {
namespace {

// Feeds entries of `delta.tool_calls` and renders what the sink got.
std::string collect(std::initializer_list<std::string_view> entries) {
    Recorder recorder;
    AnswerBudget budget(1 << 20);
    ToolCalls calls(recorder, budget);
    std::string source;
    for (const std::string_view entry : entries) {
        source += entry;
        EXPECT_TRUE(calls.add(base::parse_json(entry)->as_object()));
    }
    calls.finish();
    return recorder.rendered(source);
}

TEST(ToolCalls, keep_fragments_of_interleaved_calls_apart_by_index) {
    EXPECT_EQ(
        collect({
            R"({"index":0,"id":"c0","function":{"name":"a","arguments":""}})",
            R"({"index":1,"id":"c1","function":{"name":"b","arguments":""}})",
            R"({"index":0,"function":{"arguments":"{\"x\":"}})",
            R"({"index":1,"function":{"arguments":"{}"}})",
            R"({"index":0,"function":{"arguments":"1}"}})",
        }),
        "tool 0 id=c0 name=a \"\"\ntool 1 id=c1 name=b \"\"\ntool 0 id=c0 name=a \"{\\\"x\\\":\"\n"
        "tool 1 id=c1 name=b \"{}\"\ntool 0 id=c0 name=a \"1}\"\n"
    );
}

TEST(ToolCalls, without_an_index_go_by_id_and_an_empty_id_means_the_last_call) {
    EXPECT_EQ(
        collect({
            R"({"id":"c0","function":{"name":"a","arguments":"{"}})",
            R"({"id":"","function":{"arguments":"\"x\":1}"}})",
            R"({"id":"c1","function":{"name":"b","arguments":"{}"}})",
        }),
        "tool 0 id=c0 name=a \"{\\\"x\\\":1}\"\ntool 1 id=c1 name=b \"{}\"\n"
    );
}

TEST(ToolCalls, a_new_id_on_a_used_index_opens_a_call_only_when_the_old_one_is_complete) {
    EXPECT_EQ(
        collect({
            R"({"index":0,"id":"c0","function":{"name":"a","arguments":"{\"x\":"}})",
            R"({"index":0,"id":"other","function":{"arguments":"1}"}})",
            R"({"index":0,"id":"c2","function":{"name":"b","arguments":"{"}})",
            R"({"index":0,"function":{"arguments":"}"}})",
        }),
        "tool 0 id=c0 name=a \"{\\\"x\\\":1}\"\ntool 1 id=c2 name=b \"{}\"\n"
    );
}

TEST(ToolCalls, glued_arguments_become_two_calls_even_within_one_fragment) {
    EXPECT_EQ(
        collect({R"({"index":0,"id":"c0","function":{"name":"a","arguments":"{\"s\":\"}{\\\"\"} {\"t\":2}"}})"}),
        "tool 0 id=c0 name=a \"{\\\"s\\\":\\\"}{\\\\\\\"\\\"}\"\ntool 1 id=<made> name=a \" {\\\"t\\\":2}\"\n"
    );
}

TEST(ToolCalls, names_and_ids_are_never_appended_to) {
    EXPECT_EQ(
        collect({
            R"({"index":0,"function":{"arguments":""}})",
            R"({"index":0,"id":"","function":{"name":"a","arguments":""}})",
            R"({"index":0,"id":"","function":{"name":"a","arguments":"{}"}})",
        }),
        "tool 0 id=<made> name=a \"{}\"\n"
    );
}

TEST(ToolCalls, repair_characters_cut_between_fragments) {
    Recorder recorder;
    AnswerBudget budget(1 << 20);
    ToolCalls calls(recorder, budget);
    base::json::object first;
    first["function"] = base::json::object{{"arguments", "{\"a\":\"\xC3"}};
    base::json::object second;
    second["function"] = base::json::object{{"arguments", "\xA9\"}\xC3"}};
    EXPECT_TRUE(calls.add(first));
    EXPECT_FALSE(calls.complete());
    EXPECT_TRUE(calls.add(second));
    EXPECT_TRUE(calls.complete());
    calls.finish();
    EXPECT_EQ(recorder.rendered(""), "tool 0 id=<made> name= \"{\\\"a\\\":\\\"é\\\"}\xEF\xBF\xBD\"\n");
}

TEST(ToolCalls, are_limited_in_number_and_in_the_length_of_their_names) {
    Recorder recorder;
    AnswerBudget budget(1 << 20);
    ToolCalls calls(recorder, budget);
    base::json::object call;
    call["function"] = base::json::object{{"name", std::string(100'000, 'n')}, {"arguments", "{}"}};
    for (std::size_t i = 0; i < kToolCallsMax; ++i) {
        call["index"] = i;
        EXPECT_TRUE(calls.add(call));
    }
    call["index"] = kToolCallsMax;
    EXPECT_FALSE(calls.add(call));
    EXPECT_LT(recorder.rendered("").size(), kToolCallsMax * 700);
}

TEST(JsonExtent, finds_the_end_of_a_value_byte_by_byte) {
    const std::string_view text = R"( {"a":[1,{"b":"}]\"{"}],"c":{}})";
    JsonExtent extent;
    for (std::size_t i = 0; i < text.size(); ++i) {
        EXPECT_FALSE(extent.complete()) << i;
        EXPECT_EQ(extent.scan(text.substr(i, 1)), 1U);
    }
    EXPECT_TRUE(extent.complete());
    JsonExtent whole;
    EXPECT_EQ(whole.scan(std::string(text) + "{}"), text.size());
}

}  // namespace
}  // namespace confab::llm
