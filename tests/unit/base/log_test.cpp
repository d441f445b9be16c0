#include "base/log.hpp"

#include <gtest/gtest.h>

#include "base/json.hpp"

namespace confab::base {
namespace {

std::string fields(std::string_view line) {
    std::string out = "{";
    append_log_fields(out, line);
    out += "}";
    EXPECT_TRUE(parse_json(out)) << out;
    return out;
}

TEST(LogFields, are_the_event_and_what_follows_it) {
    EXPECT_EQ(fields("stopped"), R"({"event":"stopped"})");
    EXPECT_EQ(
        fields("migration applied name=0001_first count=12"),
        R"({"event":"migration applied","name":"0001_first","count":12})"
    );
    EXPECT_EQ(fields("a b=\"two words\" c=d"), R"({"event":"a","b":"two words","c":"d"})");
    EXPECT_EQ(fields("a b=\"\" c="), R"({"event":"a","b":"","c":""})");
    EXPECT_EQ(fields(""), R"({"event":""})");
}

TEST(LogFields, keep_quotes_lines_and_equals_signs_inside_a_value) {
    EXPECT_EQ(fields("a e=\"said \"no\" twice\" f=1"), R"({"event":"a","e":"said \"no\" twice","f":1})");
    EXPECT_EQ(fields("a e=\"x=1 y=2\" f=1"), R"({"event":"a","e":"x=1 y=2","f":1})");
    EXPECT_EQ(fields("a e=\"one\ntwo\""), R"({"event":"a","e":"one\ntwo"})");
    EXPECT_EQ(fields("a e=\"open"), R"({"event":"a","e":"\"open"})");
    EXPECT_EQ(fields("a b=c=d"), R"({"event":"a","b":"c=d"})");
}

TEST(LogFields, take_only_whole_numbers_for_numbers) {
    EXPECT_EQ(
        fields("a b=0 c=007 d=1.5 e=1234567890123456 f=-1 g=true h=\"true\""),
        R"({"event":"a","b":0,"c":"007","d":"1.5","e":"1234567890123456","f":"-1","g":true,"h":"true"})"
    );
}

}  // namespace
}  // namespace confab::base
