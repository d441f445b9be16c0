// Whom a request is from, when others passed it on.
#include "web/trusted_proxies.hpp"

#include <gtest/gtest.h>

namespace confab::web {
namespace {

Request forwarded(std::vector<Header> headers) {
    Request request;
    request.headers = std::move(headers);
    return request;
}

struct Case {
    std::string peer;
    std::vector<Header> headers;
    std::string client;
    bool secure = false;
};

TEST(TrustedProxies, AreBelievedAsFarAsTheyVouch) {
    const auto proxies = TrustedProxies::parse({"127.0.0.1", "10.0.0.0/8", "fd00::/8"});
    ASSERT_TRUE(proxies);
    const std::string far = "x-forwarded-for";
    const std::string proto = "x-forwarded-proto";
    const std::vector<Case> cases{
        {"127.0.0.1", {}, "127.0.0.1"},
        {"127.0.0.1", {{far, "203.0.113.9"}}, "203.0.113.9"},
        {"127.0.0.1", {{far, "1.1.1.1, 203.0.113.9"}}, "203.0.113.9"},
        {"127.0.0.1", {{far, "203.0.113.9, 10.1.2.3"}}, "203.0.113.9"},
        {"127.0.0.1", {{far, "203.0.113.9"}, {far, "10.1.2.3"}}, "203.0.113.9"},
        {"127.0.0.1", {{far, "10.1.2.3"}}, "10.1.2.3"},
        {"127.0.0.1", {{far, "203.0.113.9:4711"}}, "203.0.113.9"},
        {"127.0.0.1", {{far, "[2001:db8::1]:4711"}}, "2001:db8::1"},
        {"127.0.0.1", {{far, "2001:db8::1"}}, "2001:db8::1"},
        {"127.0.0.1", {{far, "203.0.113.9, unknown, 10.1.2.3"}}, "10.1.2.3"},
        {"127.0.0.1", {{far, ""}}, "127.0.0.1"},
        {"127.0.0.1", {{far, "["}}, "127.0.0.1"},
        {"127.0.0.1", {{proto, "https"}}, "127.0.0.1", true},
        {"127.0.0.1", {{proto, "https, http"}}, "127.0.0.1", false},
        {"::ffff:10.9.9.9", {{far, "203.0.113.9"}, {proto, "HTTPS"}}, "203.0.113.9", true},
        {"fd12::1", {{far, "203.0.113.9"}}, "203.0.113.9"},
        {"203.0.113.7", {{far, "127.0.0.1"}, {proto, "https"}}, "203.0.113.7", false},
        {"127.0.0.2", {{far, "203.0.113.9"}}, "127.0.0.2"},
    };
    for (const Case& one : cases) {
        const Peer peer{boost::asio::ip::make_address(one.peer)};
        const Peer client = proxies->client_of(peer, forwarded(one.headers));
        const std::string shown = one.headers.empty() ? "" : one.headers[0].name + ": " + one.headers[0].value;
        EXPECT_EQ(client.address.to_string(), one.client) << one.peer << " " << shown;
        EXPECT_EQ(client.secure, one.secure) << one.peer << " " << shown;
    }
}

TEST(TrustedProxies, AConnectionWithTlsIsSecureWhateverTheySay) {
    const auto proxies = TrustedProxies::parse({"127.0.0.1"});
    ASSERT_TRUE(proxies);
    const Peer peer{boost::asio::ip::make_address("127.0.0.1"), true};
    EXPECT_TRUE(proxies->client_of(peer, forwarded({{"x-forwarded-proto", "http"}})).secure);
}

TEST(TrustedProxies, AreAddressesAndNetworks) {
    for (const std::string bad : {"", "proxy", "10.0.0.0/33", "10.0.0", "::1/129", "0.0.0.0/-1", "127.0.0.1:80"}) {
        const auto proxies = TrustedProxies::parse({bad});
        ASSERT_FALSE(proxies) << bad;
        EXPECT_EQ(proxies.error().param, "trusted_proxies");
    }
}

}  // namespace
}  // namespace confab::web
