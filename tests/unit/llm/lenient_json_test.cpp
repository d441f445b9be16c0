#include "llm/lenient_json.hpp"

#include <gtest/gtest.h>

namespace confab::llm {
namespace {

TEST(LenientJson, parses_the_first_of_two_glued_values) {
    EventArena arena;
    const auto parsed = parse_prefix(R"({"a":1}{"b":2})", arena.storage());
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->bytes, 7U);
    EXPECT_TRUE(parsed->value.as_object().contains("a"));
}

TEST(LenientJson, tells_a_cut_value_from_a_wrong_one) {
    EventArena arena;
    EXPECT_EQ(parse_prefix(R"({"a":)", arena.storage()).error(), JsonFlaw::cut_short);
    EXPECT_EQ(parse_prefix("", arena.storage()).error(), JsonFlaw::cut_short);
    EXPECT_EQ(parse_prefix("{a}", arena.storage()).error(), JsonFlaw::malformed);
    EXPECT_EQ(parse_whole(R"({"a":1} x)", arena.storage()).error(), JsonFlaw::malformed);
    EXPECT_TRUE(parse_whole(" {\"a\":1} \n", arena.storage()));
    EXPECT_TRUE(parse_whole("12", arena.storage()));
}

TEST(LenientJson, refuses_deep_nesting) {
    EventArena arena;
    EXPECT_EQ(parse_prefix(std::string(100'000, '['), arena.storage()).error(), JsonFlaw::malformed);
}

TEST(LenientJson, lets_half_characters_through) {
    EventArena arena;
    const auto bytes = parse_whole("[\"\xF0\x9F\"]", arena.storage());
    ASSERT_TRUE(bytes);
    EXPECT_EQ(bytes->as_array()[0].as_string(), "\xF0\x9F");
    const auto lone = parse_whole(R"(["\ud83d", "\uDE00x", "\\ud83d", "\ud83d\ude00", "\ud83d\n"])", arena.storage());
    ASSERT_TRUE(lone);
    EXPECT_EQ(lone->as_array()[0].as_string(), "\xED\xA0\xBD");
    EXPECT_EQ(lone->as_array()[1].as_string(), "\xED\xB8\x80x");
    EXPECT_EQ(lone->as_array()[2].as_string(), "\\ud83d");
    EXPECT_EQ(lone->as_array()[3].as_string(), "😀");
    EXPECT_EQ(lone->as_array()[4].as_string(), "\xED\xA0\xBD\n");
}

}  // namespace
}  // namespace confab::llm
