#include "base/json.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "base/text.hpp"

namespace confab::base {
namespace {

std::string escaped(std::string_view text) {
    std::string out;
    append_escaped(out, text);
    return out;
}

TEST(ParseJson, takes_one_complete_value) {
    EXPECT_TRUE(parse_json(R"({"a":[1,2.5,"x",null,true]})"));
    EXPECT_TRUE(parse_json(" \t\r\n 1 \t\r\n "));
    EXPECT_EQ(parse_json("12")->as_int64(), 12);
    for (const std::string_view wrong :
         {"",
          " ",
          "{",
          "[1,]",
          "{} {}",
          "1 2",
          "{\"a\":1}x",
          "nul",
          "'a'",
          "// c\n1",
          "[1,]",
          "\"\t\"",
          "\xEF\xBB\xBF{}",
          "NaN",
          "01"}) {
        const auto parsed = parse_json(wrong);
        ASSERT_FALSE(parsed) << wrong;
        EXPECT_EQ(parsed.error().errc, Errc::invalid_request);
        EXPECT_EQ(parsed.error().code, "invalid_json");
    }
}

TEST(ParseJson, refuses_deep_nesting_without_using_the_stack) {
    const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    EXPECT_TRUE(parse_json(nested(kJsonDepthMax)));
    EXPECT_FALSE(parse_json(nested(kJsonDepthMax + 1)));
    EXPECT_FALSE(parse_json(nested(100'000)));
    EXPECT_FALSE(parse_json(std::string(100'000, '[')));
    std::string objects;
    for (int i = 0; i < 100'000; ++i) {
        objects += "{\"a\":";
    }
    EXPECT_FALSE(parse_json(objects));
}

TEST(ParseJson, lets_the_last_of_duplicate_keys_win) {
    const auto value = parse_json(R"({"role":"user","role":"system"})");
    EXPECT_EQ(value->as_object().size(), 1U);
    EXPECT_EQ(find_string(value->as_object(), "role"), "system");
}

TEST(ParseJson, turns_numbers_beyond_a_double_into_infinity) {
    EXPECT_TRUE(std::isinf(parse_json("1e999")->as_double()));
    EXPECT_TRUE(std::isinf(parse_json("-1e999")->as_double()));
    EXPECT_EQ(parse_json("1e-999")->as_double(), 0.0);
    EXPECT_EQ(parse_json("18446744073709551615")->as_uint64(), std::numeric_limits<std::uint64_t>::max());
    EXPECT_TRUE(parse_json("123456789012345678901234567890")->is_double());
}

TEST(ParseJson, refuses_text_that_is_not_unicode) {
    for (const std::string_view wrong : {
             R"("\ud83d")",
             R"("\ude00")",
             R"("\ud83d\u0041")",
             "\"\xFF\"",
             "\"\xC0\xAF\"",
             "\"\xED\xA0\xBD\"",
             "\"\xF0\x9F\"",
             R"("\u12")",
             R"("\x")",
         }) {
        EXPECT_FALSE(parse_json(wrong)) << wrong;
    }
    EXPECT_EQ(parse_json(R"("\ud83d\ude00\u0000")")->as_string(), std::string_view("😀\0", 5));
}

TEST(ParseJson, the_error_never_repeats_the_input) {
    const auto parsed = parse_json(R"({"password":"hunter2" oops})");
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().message.find("hunter2"), std::string::npos);
    EXPECT_EQ(parsed.error().message.find("oops"), std::string::npos);
    EXPECT_NE(parsed.error().message.find("byte"), std::string::npos);
}

TEST(ParseJson, puts_the_value_into_the_storage_it_is_given) {
    unsigned char buffer[64 * 1024];
    json::static_resource memory(buffer);  // throws when full, so the value is here or nowhere
    const auto value = parse_json(
        R"({"long enough not to be held inside the value":["another long text, beyond any small buffer"]})", &memory
    );
    ASSERT_TRUE(value);
    EXPECT_EQ(value->storage().get(), &memory);
    const auto* inside =
        reinterpret_cast<const unsigned char*>(&value->as_object().at("long enough not to be held inside the value"));
    EXPECT_TRUE(inside >= buffer && inside < buffer + sizeof buffer);
}

TEST(Find, gives_members_of_the_right_kind) {
    const json::value value = *parse_json(R"({"text":"x","number":1,"":"empty"})");
    const json::object& object = value.as_object();
    EXPECT_NE(find(object, "number"), nullptr);
    EXPECT_EQ(find(object, "absent"), nullptr);
    EXPECT_EQ(find_string(object, "text"), "x");
    EXPECT_EQ(find_string(object, ""), "empty");
    EXPECT_EQ(find_string(object, "number"), "");
    EXPECT_EQ(find_string(object, "absent"), "");
}

TEST(AppendEscaped, escapes_what_json_and_terminals_mind) {
    EXPECT_EQ(escaped("plain Köln 😀"), "plain Köln 😀");
    EXPECT_EQ(escaped("\"\\\n\r\t"), R"(\"\\\n\r\t)");
    EXPECT_EQ(escaped(std::string_view("\0\x1F\x7F", 3)), R"(\u0000\u001f\u007f)");
}

TEST(AppendEscaped, makes_valid_utf8_of_anything) {
    constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
    EXPECT_EQ(
        escaped("a\xFF"
                "b"),
        "a" + std::string(kReplacement) + "b"
    );
    EXPECT_EQ(escaped("\xE6\xBC"), std::string(kReplacement) + std::string(kReplacement));
    for (unsigned first = 0; first < 256; ++first) {
        for (unsigned second = 0; second < 256; ++second) {
            const char bytes[] = {static_cast<char>(first), static_cast<char>(second), 'z'};
            std::string rendered = "\"";
            append_escaped(rendered, {bytes, sizeof bytes});
            rendered += '"';
            ASSERT_TRUE(is_utf8(rendered));
            ASSERT_TRUE(parse_json(rendered)) << rendered;
        }
    }
}

TEST(JsonWriter, places_commas) {
    std::string text;
    JsonWriter out(text);
    out.begin_object();
    out.member("a", 1);
    out.key("list");
    out.begin_array();
    out.end_array();
    out.key("nested");
    out.begin_array();
    out.begin_object();
    out.end_object();
    out.value(true);
    out.raw("{\"x\":1}");
    out.value(nullptr);
    out.end_array();
    out.member_or_null("none", "");
    out.member_or_null("some", "s");
    out.raw_member("raw", "[1]");
    out.end_object();
    EXPECT_EQ(text, R"({"a":1,"list":[],"nested":[{},true,{"x":1},null],"none":null,"some":"s","raw":[1]})");
}

TEST(JsonWriter, renders_every_kind_of_value) {
    std::string text;
    JsonWriter out(text);
    out.begin_array();
    out.value("literal");
    out.value(std::string("str\"ing"));
    out.value(std::string_view("view"));
    out.value(false);
    out.value(-7);
    out.value(7U);
    out.value(std::numeric_limits<std::int64_t>::min());
    out.value(0.1);
    out.value(1e300);
    out.value(std::numeric_limits<double>::infinity());
    out.value(std::nan(""));
    out.end_array();
    EXPECT_EQ(text, R"(["literal","str\"ing","view",false,-7,7,-9223372036854775808,0.1,1e+300,null,null])");
}

TEST(JsonWriter, renders_unsigned_numbers_above_the_signed_range) {
    std::string text;
    JsonWriter out(text);
    out.value(std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(text, "18446744073709551615");
}

}  // namespace
}  // namespace confab::base
