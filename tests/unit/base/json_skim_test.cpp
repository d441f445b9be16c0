#include "base/json_skim.hpp"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/json.hpp"

namespace confab::base {
namespace {

bool skims(std::string_view text) {
    return skim_object(text, [](const SkimmedMember&) {});
}

std::vector<std::string> members_of(std::string_view text) {
    std::vector<std::string> members;
    const bool whole = skim_object(text, [&members](const SkimmedMember& member) {
        members.push_back(std::string(member.key) + "=" + std::string(member.value));
    });
    EXPECT_TRUE(whole) << text;
    return members;
}

const std::vector<std::string> kObjects{
    "{}",
    " \t\r\n{ } \n",
    R"({"a":1})",
    R"({"model":"m","messages":[{"role":"user","content":"a \"b\" \\ \u00e4 \ud83d\ude00 c"}],"stream":true})",
    R"({"a":[],"b":{},"c":[[],[{}],{"d":[1,-2.5e+3,0,0.1,1E9]}],"e":null,"f":false,"":""})",
    R"({"long":"0123456789 0123456789 0123456789 0123456789 ä€😀 0123456789"})",
    R"({"a":{"b":{"c":{"d":[1,2,{"e":"f"}]}}},"g":[true,false,null]})",
};

TEST(SkimObject, NamesTheOutermostMembersInOrder) {
    EXPECT_EQ(
        members_of(R"( {"model" : "m", "n":-1.5e3,"messages":[ {"model":"x"} ] ,"stream":true} )"),
        (std::vector<std::string>{"model=\"m\"", "n=-1.5e3", "messages=[ {\"model\":\"x\"} ]", "stream=true"})
    );
    EXPECT_TRUE(members_of("{}").empty());
}

TEST(SkimObject, TakesWhatTheParserTakes) {
    for (const std::string& text : kObjects) {
        EXPECT_TRUE(skims(text)) << text;
        EXPECT_TRUE(parse_json(text)) << text;
    }
}

TEST(SkimObject, LeavesToTheParserWhatIsNoObjectOrNotWellFormed) {
    const std::string deep = R"({"a":)" + std::string(kJsonDepthMax, '[') + std::string(kJsonDepthMax, ']') + "}";
    for (const std::string& text : std::vector<std::string>{
             "", "[]", "1", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\":1}x", "{\"a\":01}", "{\"a\":1.}",
             "{\"a\":.5}", "{\"a\":-}", "{\"a\":+1}", "{\"a\":1e}", "{\"a\":[1,]}", "{\"a\":[1 2]}", "{\"a\":[}",
             "{\"a\":{\"b\"}}", "{\"a\":{1:2}}", "{\"a\":\"\t\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}",
             "{\"a\":\"\\ud800\"}", "{\"a\":\"\\ud800\\u0041\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"\xff\"}",
             "{\"a\":\"\xc3\"}", "{\"a\":\"0123456\xff\"}", "{\"a\":tru}", "{\"a\":nul", "{\"a\":'b'}", "{a:1}",
             "{\"\\u0061\":1}", "{\"a\":1e99999}", "{\"a\":\"b", deep
         }) {
        EXPECT_FALSE(skims(text)) << text;
    }
}

// Whatever the text, the skim never passes what the parser would refuse.
TEST(SkimObject, NeverPassesWhatTheParserRefuses) {
    std::mt19937 random(7);
    const std::string bytes = "{}[]\":,\\ u0e-+.tfn1\t\n\xc3\xa4\xff";
    int passed = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string text = kObjects[random() % kObjects.size()];
        for (unsigned change = random() % 3 + 1; change > 0; --change) {
            const std::size_t at = random() % text.size();
            const char byte = bytes[random() % bytes.size()];
            switch (random() % 3) {
                case 0: text[at] = byte; break;
                case 1: text.insert(at, 1, byte); break;
                default: text.erase(at, 1); break;
            }
            if (text.empty()) {
                break;
            }
        }
        if (skims(text)) {
            ++passed;
            EXPECT_TRUE(parse_json(text)) << text;
        }
    }
    EXPECT_GT(passed, 1'000);
}

}  // namespace
}  // namespace confab::base
