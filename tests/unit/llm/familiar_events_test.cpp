#include "llm/familiar_events.hpp"

#include <gtest/gtest.h>

namespace confab::llm {
namespace {

std::string data(std::string_view text, std::string_view reason = "null") {
    return R"({"id":"c1","choices":[{"index":0,"delta":{"content":")" + std::string(text) + R"("},"finish_reason":)" +
           std::string(reason) + "}]}";
}

std::string sent(std::string_view text, std::string_view reason = "null") {
    return "data: " + data(text, reason) + "\n\n";
}

TEST(FamiliarEvents, KnowsNothingAtFirst) {
    EXPECT_EQ(FamiliarEvents().match(sent("a")), 0U);
}

TEST(FamiliarEvents, FindsEventsThatDifferInTheirTextOnly) {
    FamiliarEvents events;
    events.learn(data("Hello"));
    EXPECT_EQ(events.match(sent(" world")), sent(" world").size());
    EXPECT_EQ(events.match(sent("")), sent("").size());
    const std::string three = sent("a") + sent("b c") + sent("\xc3\xa4");
    EXPECT_EQ(events.match(three), three.size());
}

TEST(FamiliarEvents, StopsBeforeAnEventThatHasToBeLookedAt) {
    FamiliarEvents events;
    events.learn(data("Hello"));
    const std::string known = sent("a");
    const std::string error = "data: {\"error\":{\"message\":\"no\"}}\n\n";
    for (const std::string& other :
         {sent("", "\"stop\""),
          error,
          std::string("data: [DONE]\n\n"),
          std::string(": comment\n\n"),
          sent("say \\\"hi\\\""),
          sent("two\nlines"),
          sent("two\rlines"),
          "data: " + data("a") + "\r\n\r\n",
          "event: error\n" + sent("a"),
          sent("half").substr(0, sent("half").size() - 1),
          sent("half").substr(0, sent("half").size() / 2)}) {
        EXPECT_EQ(events.match(other), 0U) << other;
        EXPECT_EQ(events.match(known + other + known), known.size()) << other;
    }
}

TEST(FamiliarEvents, LearnsOnlyPlainTextsOfOneLine) {
    for (const std::string& unfit :
         {data("say \\\"hi\\\""),
          data("a\nb"),
          std::string(R"({"choices":[{"delta":{"content":null}}]})"),
          std::string(R"({"choices":[]})"),
          R"({"padding":")" + std::string(2'000, 'x') + R"(","choices":[{"delta":{"content":"a"}}]})"}) {
        FamiliarEvents events;
        events.learn(data("Hello"));
        events.learn(unfit);
        EXPECT_EQ(events.match(sent("a")), 0U) << unfit;
        EXPECT_EQ(events.match("data: " + unfit + "\n\n"), 0U) << unfit;
    }
}

TEST(FamiliarEvents, GoesWithAServerThatChangesItsFrame) {
    FamiliarEvents events;
    events.learn(data("Hello"));
    events.learn(R"({"id":"c2","choices":[{"delta":{"content": "a"}}]})");
    EXPECT_EQ(events.match(sent("a")), 0U);
    const std::string next = "data: {\"id\":\"c2\",\"choices\":[{\"delta\":{\"content\": \"b\"}}]}\n\n";
    EXPECT_EQ(events.match(next), next.size());
}

}  // namespace
}  // namespace confab::llm
