#include "web/router.hpp"

#include <gmock/gmock.h>

namespace confab::web {
namespace {

using base::Errc;

Route route(std::string method, std::string pattern) {
    Route result;
    result.method = std::move(method);
    result.pattern = std::move(pattern);
    return result;
}

class RouterTest : public testing::Test {
protected:
    RouterTest() {
        router_.add(route("GET", "/"));
        router_.add(route("GET", "/v1/items/{id}"));
        router_.add(route("DELETE", "/v1/items/{id}"));
        router_.add(route("GET", "/v1/items/{id}/parts/{part}"));
        router_.add(route("GET", "/v1/models/{name...}"));
    }

    std::string find(std::string_view method, std::string_view path) {
        allowed_.clear();
        const auto found = router_.find(method, path, arguments_, allowed_);
        if (found) {
            return (*found)->pattern;
        }
        return found.error().errc == Errc::not_found ? "404" : "405";
    }

    Router router_;
    std::vector<std::string> arguments_;
    std::string allowed_;
};

TEST_F(RouterTest, FindsRoutesAndTheirArguments) {
    EXPECT_EQ(find("GET", "/"), "/");
    EXPECT_EQ(find("GET", "/v1/items/7"), "/v1/items/{id}");
    EXPECT_THAT(arguments_, testing::ElementsAre("7"));
    EXPECT_EQ(find("GET", "/v1/items/7/parts/a"), "/v1/items/{id}/parts/{part}");
    EXPECT_THAT(arguments_, testing::ElementsAre("7", "a"));
}

TEST_F(RouterTest, AnOpenEndedPatternTakesAnyNumberOfSegments) {
    EXPECT_EQ(find("GET", "/v1/models/meta/llama-3"), "/v1/models/{name...}");
}

TEST_F(RouterTest, HeadIsGet) {
    EXPECT_EQ(find("HEAD", "/v1/items/7"), "/v1/items/{id}");
}

TEST_F(RouterTest, TellsAWrongMethodFromAnUnknownPath) {
    EXPECT_EQ(find("POST", "/v1/items/7"), "405");
    EXPECT_EQ(allowed_, "GET, DELETE");
    EXPECT_EQ(find("GET", "/v1/items"), "404");
    EXPECT_EQ(find("GET", "/v1/items/"), "404");
    EXPECT_EQ(find("GET", "/v1/items/7/"), "404");
    EXPECT_EQ(find("GET", "//"), "404");
}

TEST(DecodePath, DecodesEscapesOnce) {
    EXPECT_EQ(decode_path("/a%20b%2525"), "/a b%25");
}

TEST(DecodePath, RefusesWhatCouldMeanAnotherPath) {
    for (const char* path : {"/a%2fb", "/a%5cb", "/a%00", "/a%", "/a%4", "/a%zz", "/%ff", "/%c0%ae"}) {
        EXPECT_EQ(decode_path(path), std::nullopt) << path;
    }
    EXPECT_EQ(decode_path(std::string_view("/a\0b", 4)), std::nullopt);
    EXPECT_EQ(decode_path("/a\\b"), std::nullopt);
}

TEST(DecodeQuery, KeepsOrderAndDecodes) {
    const auto query = decode_query("a=1&b=%20x+y&c&&include%5B%5D=z&bad=%zz");
    using Pair = std::pair<std::string, std::string>;
    EXPECT_THAT(
        query,
        testing::ElementsAre(
            Pair("a", "1"), Pair("b", " x y"), Pair("c", ""), Pair("include[]", "z"), Pair("bad", "%zz")
        )
    );
}

}  // namespace
}  // namespace confab::web
