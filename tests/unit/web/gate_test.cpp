#include "web/gate.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace confab::web {
namespace {

using base::Errc;

std::string head(const std::string& lines) {
    return "POST /v1/responses?x=1 HTTP/1.1\r\nHost: localhost:8420\r\n" + lines + "\r\n";
}

TEST(Gate, AdmitsAPlainRequestAndSaysWhatItIs) {
    const std::string text = head("Content-Length: 12\r\nAccept: */*\r\n");
    const auto verdict = admit_head(text);
    ASSERT_TRUE(verdict) << verdict.error().message;
    EXPECT_EQ(verdict->method, "POST");
    EXPECT_EQ(verdict->target, "/v1/responses?x=1");
    EXPECT_EQ(verdict->host, "localhost:8420");
    EXPECT_EQ(verdict->content_length, 12U);
    EXPECT_FALSE(verdict->chunked);
    EXPECT_FALSE(verdict->http_1_0);
}

TEST(Gate, AdmitsChunkedOnHttp11) {
    const std::string text = head("Transfer-Encoding: Chunked\r\n");
    const auto verdict = admit_head(text);
    ASSERT_TRUE(verdict);
    EXPECT_TRUE(verdict->chunked);
}

// Each of these two servers in a row may read differently.
class GateRefuses : public testing::TestWithParam<const char*> {};

TEST_P(GateRefuses, WithA400) {
    const std::string text = GetParam();
    const auto verdict = admit_head(text);
    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().errc, Errc::invalid_request);
    EXPECT_EQ(verdict.error().code, "bad_request");
}

INSTANTIATE_TEST_SUITE_P(
    Smuggling,
    GateRefuses,
    testing::Values(
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n"
    )
);

INSTANTIATE_TEST_SUITE_P(
    Framing,
    GateRefuses,
    testing::Values(
        "GET / HTTP/1.1\r\n\r\n",                        // no Host
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",  // two
        "GET / HTTP/1.1\r\nHost: \r\n\r\n",              // empty
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",  // obs-fold
        "GET / HTTP/1.1\r\nHost: a\r\n\tX: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",  // space before the colon
        "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",  // bare LF
        "GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: 1\rY: 2\r\n\r\n",  // bare CR
        "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",  // absolute form
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
        "get / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET /\r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\n"
    )
);

TEST(Gate, RefusesANulByte) {
    std::string text = head("X: 1\r\n");
    text[text.find("1\r\n\r\n")] = '\0';
    EXPECT_FALSE(admit_head(text));
}

TEST(Gate, BoundsTheSizeAndTheNumberOfHeaders) {
    const auto large = admit_head(head("X: " + std::string(kHeadBytesMax, 'a') + "\r\n"));
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().errc, Errc::headers_too_large);
    std::string lines;
    for (std::size_t i = 0; i < kHeaderCountMax; ++i) {
        lines += "X: 1\r\n";
    }
    const auto many = admit_head(head(lines));  // and Host makes one more
    ASSERT_FALSE(many);
    EXPECT_EQ(many.error().errc, Errc::headers_too_large);
}

TEST(Gate, BoundsTheTarget) {
    const std::string text = "GET /" + std::string(kTargetBytesMax, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
    EXPECT_FALSE(admit_head(text));
}

TEST(Gate, KnowsHostsThatRebindingCannotForge) {
    const std::vector<std::string> allowed{"chat.example.com"};
    for (const char* host :
         {"localhost",
          "localhost:8420",
          "127.0.0.1:1",
          "[::1]:8420",
          "192.168.1.4",
          "chat.example.com",
          "chat.example.com:443"}) {
        EXPECT_TRUE(host_is_allowed(host, allowed)) << host;
    }
    for (const char* host : {"evil.example", "chat.example.com.evil.example", "127.0.0.1.evil.example", "", "x"}) {
        EXPECT_FALSE(host_is_allowed(host, allowed)) << host;
    }
}

}  // namespace
}  // namespace confab::web
