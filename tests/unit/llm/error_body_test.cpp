#include "llm/error_body.hpp"

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.hpp"

namespace confab::llm {
namespace {

struct Case {
    std::string_view body;
    std::string_view message;
    std::string_view code;
};

TEST(ErrorBody, understands_every_shape) {
    const std::array cases{
        Case{
            R"({"error":{"message":"No such model","type":"invalid_request_error","param":null,"code":"model_not_found"}})",
            "No such model",
            "model_not_found"
        },
        Case{R"({"error":{"code":400,"message":"too long","type":"exceed_context_size_error"}})", "too long", "400"},
        Case{
            R"({"error":{"message":"plain","type":"invalid_request_error","code":null}})",
            "plain",
            "invalid_request_error"
        },
        Case{R"({"error":"model \"x\" not found"})", "model \"x\" not found", ""},
        Case{R"({"detail":"Not Found"})", "Not Found", ""},
        Case{
            R"({"detail":[{"loc":["body","model"],"msg":"field required"},{"msg":"bad"}]})", "field required; bad", ""
        },
        Case{R"({"detail":{"message":"inner"}})", "inner", ""},
        Case{
            R"({"object":"error","message":"old vLLM","type":"BadRequestError","param":null,"code":40303})",
            "old vLLM",
            "40303"
        },
        Case{R"({"message":"gateway","code":"E1"})", "gateway", "E1"},
        Case{R"([{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}}])", "quota", "429"},
        Case{
            R"({"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"slow down"}}})",
            "Provider returned error: slow down",
            "429"
        },
        Case{R"({"error":{}})", "{}", ""},
        Case{R"({"error":{"message":{"a":1}}})", R"({"a":1})", ""},
        Case{
            "<html><head><title>502 Bad\n Gateway</title></head><body>x</body></html>",
            "The model server answered with a web page: 502 Bad Gateway",
            ""
        },
        Case{"<h1>It <b>works</b>!</h1>", "The model server answered with a web page: It works !", ""},
        Case{"upstream connect error\r\n", "upstream connect error", ""},
        Case{R"({"error": cut)", R"({"error": cut)", ""},
        Case{"", "The model server answered with status 500 and no explanation.", ""},
        Case{"{}", "{}", ""},
        Case{"[]", "[]", ""},
    };
    for (const Case& expected : cases) {
        const ErrorBody error = parse_error_body(500, expected.body);
        EXPECT_EQ(error.message, expected.message) << expected.body;
        EXPECT_EQ(error.code, expected.code) << expected.body;
    }
}

TEST(ErrorBody, never_holds_a_secret) {
    const std::string key = "sk-proj-0123456789abcdef";
    const std::array<std::string_view, 3> secrets{"sk-proj-", key, ""};
    const std::vector<std::string> bodies{
        R"({"error":{"message":"Incorrect API key provided: )" + key + R"(.","code":")" + key + R"("}})",
        R"({"error":"key \u0073k-proj-0123456789abcdef"})",
        "<title>" + key + key + "</title>",
        key,
        std::string(kErrorMessageBytesMax - 5, 'x') + key,
    };
    for (const std::string& body : bodies) {
        const ErrorBody error = parse_error_body(401, body, secrets);
        EXPECT_EQ(error.message.find("sk-"), std::string::npos) << error.message;
        EXPECT_EQ(error.message.find("0123"), std::string::npos) << error.message;
        EXPECT_EQ(error.code.find("sk-"), std::string::npos) << error.code;
    }
}

TEST(ErrorBody, is_short_one_line_and_valid) {
    std::string body;
    while (body.size() < 100'000) {
        body += "é\x01\n\xFF";
    }
    const ErrorBody error = parse_error_body(500, body);
    EXPECT_LE(error.message.size(), kErrorMessageBytesMax);
    EXPECT_TRUE(base::is_utf8(error.message));
    EXPECT_EQ(error.message.find('\n'), std::string::npos);
    EXPECT_LE(
        parse_error_body(
            500, R"({"error":{"message":"m","code":")" + body.substr(0, 3) + std::string(9000, 'c') + R"("}})"
        )
            .code.size(),
        kErrorMessageBytesMax
    );
}

TEST(ErrorBody, deep_nesting_is_plain_text) {
    const std::string body(100'000, '[');
    EXPECT_EQ(parse_error_body(500, body).message, body.substr(0, kErrorMessageBytesMax));
}

TEST(ErrorBody, tells_a_refused_stream_option) {
    EXPECT_TRUE(refuses_stream_options(
        400, parse_error_body(400, R"({"error":"Unrecognized request argument supplied: stream_options"})")
    ));
    EXPECT_FALSE(refuses_stream_options(500, {"stream_options", ""}));
    EXPECT_FALSE(refuses_stream_options(400, {"no", ""}));
}

}  // namespace
}  // namespace confab::llm
