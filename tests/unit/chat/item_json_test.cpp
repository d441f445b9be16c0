#include "chat/item_json.hpp"

#include <gmock/gmock.h>

#include "base/json.hpp"

namespace confab::chat {
namespace {

namespace json = base::json;
using base::ItemType;

store::Item item_of(ItemType type, const std::string& body, store::BodyFormat format = store::BodyFormat::json) {
    store::Item item;
    item.id = store::ItemId::make(type);
    item.role = store::ItemRole::assistant;
    item.format = format;
    item.body = body;
    item.created_at = 7;
    return item;
}

json::object render(const store::Item& item) {
    std::string text;
    render_item(text, item);
    const auto parsed = base::parse_json(text);
    EXPECT_TRUE(parsed) << text;
    return parsed ? parsed->get_object() : json::object();
}

TEST(ItemJson, MessagesRenderByTheirRole) {
    store::Item item = item_of(ItemType::message, "text", store::BodyFormat::text);
    item.role = store::ItemRole::user;
    EXPECT_EQ(render(item).at("content").at(0).at("type"), "input_text");
    item.role = store::ItemRole::assistant;
    item.truncated = true;
    item.bytes = 99;
    const auto answer = render(item);
    EXPECT_EQ(answer.at("content").at(0).at("type"), "output_text");
    EXPECT_EQ(answer.at("truncated"), true);
    EXPECT_EQ(answer.at("bytes"), 99);
    EXPECT_FALSE(answer.contains("usage")) << "it comes from no run";
}

TEST(ItemJson, AnAnswerCarriesItsMeasures) {
    store::Item item = item_of(ItemType::message, "text", store::BodyFormat::text);
    item.response = store::ResponseId::make();
    item.model = "m";
    EXPECT_TRUE(render(item).at("usage").is_null());
    EXPECT_TRUE(render(item).at("timing").is_null());
    item.usage = R"({"total_tokens":3})";
    item.timing = store::RunTiming{1, 2, std::nullopt};
    EXPECT_EQ(render(item).at("usage").at("total_tokens"), 3);
    EXPECT_EQ(render(item).at("timing").at("duration_ms"), 2);
    store::Item thought = item_of(ItemType::reasoning, "hm", store::BodyFormat::text);
    thought.response = item.response;
    EXPECT_FALSE(render(thought).contains("usage")) << "once for each answer";
}

TEST(ItemJson, EveryTypeHasItsMembers) {
    const auto thought = render(item_of(ItemType::reasoning, "hm", store::BodyFormat::text));
    EXPECT_TRUE(thought.at("id").as_string().starts_with("rs_"));
    EXPECT_EQ(base::to_string(thought.at("summary")), R"([{"type":"summary_text","text":"hm"}])");
    const auto given = render(item_of(ItemType::reasoning, R"({"summary":[],"encrypted_content":"x"})"));
    EXPECT_EQ(given.at("encrypted_content"), "x");
    EXPECT_EQ(given.at("type"), "reasoning");
    const auto call = render(item_of(ItemType::function_call, R"({"call_id":"c","name":"n","arguments":"{}"})"));
    EXPECT_TRUE(call.at("id").as_string().starts_with("fc_"));
    EXPECT_EQ(call.at("type"), "function_call");
    EXPECT_EQ(call.at("status"), "completed");
    EXPECT_EQ(call.at("arguments"), "{}");
    const auto output = render(item_of(ItemType::function_call_output, R"({"call_id":"c","output":"42"})"));
    EXPECT_TRUE(output.at("id").as_string().starts_with("fco_"));
    EXPECT_EQ(output.at("type"), "function_call_output");
    EXPECT_EQ(output.at("output"), "42");
    const auto other = render(item_of(ItemType::other, R"({"type":"web_search_call","status":"completed"})"));
    EXPECT_TRUE(other.at("id").as_string().starts_with("item_"));
    EXPECT_EQ(other.at("type"), "web_search_call");
}

TEST(ItemJson, ACutBodyKeepsWhatComesBeforeTheCut) {
    const std::string tricky = R"(say \",\"arguments\":)";
    const std::string body = R"({"call_id":"c","name":")" + tricky + R"(","arguments":"{\"a\":)";
    for (const auto& [type, text, member] :
         {std::tuple(ItemType::function_call, body, "arguments"),
          std::tuple(ItemType::function_call_output, std::string(R"({"call_id":"c","output":[{"output":)"), "output")
         }) {
        store::Item item = item_of(type, text);
        item.truncated = true;
        item.bytes = 100'000;
        const auto shown = render(item);
        EXPECT_EQ(shown.at("call_id"), "c");
        EXPECT_EQ(shown.at(member), "");
        EXPECT_EQ(shown.at("truncated"), true);
    }
    store::Item thought = item_of(ItemType::reasoning, R"({"summary":[{"ty)");
    thought.truncated = true;
    EXPECT_EQ(render(thought).at("summary").as_array().size(), 0U);
    store::Item other = item_of(ItemType::other, R"({"type":"mcp_call","output":"lo)");
    other.truncated = true;
    EXPECT_EQ(render(other).at("type"), "mcp_call");
}

}  // namespace
}  // namespace confab::chat
