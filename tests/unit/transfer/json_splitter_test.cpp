#include "transfer/json_splitter.hpp"

#include <gtest/gtest.h>

namespace confab::transfer {
namespace {

using Event = JsonSplitter::Event;
using Step = JsonSplitter::Step;

std::string joined(const std::vector<std::string>& path) {
    std::string text;
    for (const std::string& part : path) {
        text += "/" + part;
    }
    return text;
}

// Walks into arrays at the top and into objects called "in", skips "no", captures the rest.
Step decide(const std::vector<std::string>& path, char kind) {
    if (path.empty() || (path.size() == 1 && kind == '{') || path.back() == "in") {
        return Step::descend;
    }
    return path.back() == "no" ? Step::skip : Step::capture;
}

// What comes out, as lines; `cut` bytes are fed at a time.
std::string split(std::string_view text, std::size_t cut, std::size_t value_bytes_max = 1'000) {
    JsonSplitter splitter(value_bytes_max, decide);
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += cut) {
        splitter.feed(text.substr(at, cut));
        while (true) {
            const auto event = splitter.next();
            if (!event) {
                return out + event.error().code;
            }
            if (*event == Event::need_more) {
                break;
            }
            const std::string path = joined(splitter.path());
            switch (*event) {
                case Event::value: out += path + "=" + splitter.text() + "\n"; break;
                case Event::too_large: out += path + " too large\n"; break;
                case Event::begin: out += path + "{\n"; break;
                case Event::end: out += path + "}\n"; break;
                case Event::need_more: break;
            }
        }
    }
    const auto finished = splitter.finish();
    return out + (finished ? "" : finished.error().code);
}

TEST(JsonSplitter, GivesTheSameHoweverTheTextIsCut) {
    const std::string text =
        R"( [ {"a": "x\"]}", "no": [{"deep": "}"}], "in" : {"k\u00e9y": [1, {"b":2}], "n":-1.5e3,"t":true}, "e":{} }, 7, [] ] )";
    const std::string expected =
        "{\n/[]{\n/[]/a=\"x\\\"]}\"\n/[]/in{\n/[]/in/k\u00e9y=[1, {\"b\":2}]\n/[]/in/n=-1.5e3\n/[]/in/t=true\n/[]/in}\n"
        "/[]/e={}\n/[]}\n/[]=7\n/[]=[]\n}\n";
    for (std::size_t cut = 1; cut <= text.size(); ++cut) {
        EXPECT_EQ(split(text, cut), expected) << cut;
    }
}

TEST(JsonSplitter, PassesOverWhatIsTooLarge) {
    const std::string text = R"([{"a":")" + std::string(2'000, 'x') + R"(","b":1}])";
    EXPECT_EQ(split(text, 7), "{\n/[]{\n/[]/a too large\n/[]/b=1\n/[]}\n}\n");
}

TEST(JsonSplitter, GoesAnyDepthWithoutRecursion) {
    const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
    EXPECT_EQ(split(R"([{"a":)" + deep + R"(,"b":1}])", 4'096), "{\n/[]{\n/[]/a too large\n/[]/b=1\n/[]}\n}\n");
    EXPECT_EQ(split(R"([{"no":)" + deep + R"(,"b":1}])", 4'096), "{\n/[]{\n/[]/b=1\n/[]}\n}\n");
}

TEST(JsonSplitter, SaysWhereItEndsInTheMiddle) {
    for (const char* text : {"", "[", "[{", R"([{"a)", R"([{"a")", R"([{"a":)", R"([{"a":"x)", R"([{"a":1)", "[1,"}) {
        EXPECT_TRUE(split(text, 3).ends_with("truncated")) << text;
    }
}

TEST(JsonSplitter, RefusesWhatIsNoJson) {
    for (const char* text : {"x", "7", "\"x\"", "[x]", "[1 2]", R"([{a:1}])", R"([{"a" 1}])", "[}", R"([{"a":1]])", "[] []", "[1]x", "[,]"}) {
        EXPECT_TRUE(split(text, 2).ends_with("malformed_json")) << text;
    }
}

}  // namespace
}  // namespace confab::transfer
