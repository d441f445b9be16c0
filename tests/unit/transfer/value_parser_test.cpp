#include "transfer/value_parser.hpp"

#include <gtest/gtest.h>

#include "base/text.hpp"

namespace confab::transfer {
namespace {

std::string text_of(std::string_view json) {
    const auto value = parse_value(json);
    return value && value->is_string() ? std::string(value->get_string()) : std::string("(none)");
}

store::UnixSeconds time_of(std::string_view json) {
    const auto value = parse_value(json);
    return value ? read_time(&*value) : -1;
}

TEST(ValueParser, MendsHalfPairs) {
    EXPECT_EQ(text_of(R"("a\ud83db")"), "a\uFFFDb");
    EXPECT_EQ(text_of(R"("a\ude00b")"), "a\uFFFDb");
    EXPECT_EQ(text_of(R"("\ud83d\ud83d\ude00")"), "\uFFFD\U0001F600");
    EXPECT_EQ(text_of(R"("\\ud83d \ud83d")"), "\\ud83d \uFFFD");  // an escaped backslash is none
    EXPECT_EQ(text_of(R"("\ud83d\ude00")"), "\U0001F600");
    EXPECT_EQ(text_of(R"("\ud83d)"), "(none)");
}

TEST(ValueParser, RefusesDepthAndBadUtf8) {
    EXPECT_FALSE(parse_value(std::string(1'000, '[') + std::string(1'000, ']')));
    EXPECT_FALSE(parse_value("\"\xff\""));
}

TEST(ValueParser, ReadsTimes) {
    EXPECT_EQ(time_of("1700000000.25"), 1'700'000'000);
    EXPECT_EQ(time_of("1700000000000"), 1'700'000'000);  // milliseconds
    EXPECT_EQ(time_of(R"("2023-11-14T22:13:20.552627Z")"), 1'700'000'000);
    EXPECT_EQ(time_of(R"("2023-11-14T22:13:20+00:00")"), 1'700'000'000);
    EXPECT_EQ(time_of(R"("2023-11-15T00:13:20+02:00")"), 1'700'000'000);
    for (const char* bad : {"null", "-5", "1e300", "\"yesterday\"", "{}", "true"}) {
        EXPECT_EQ(time_of(bad), 0) << bad;
    }
}

}  // namespace
}  // namespace confab::transfer
