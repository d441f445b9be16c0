// Who has how many of the connections.
#include "web/address_share.hpp"

#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace confab::web {
namespace {

using boost::asio::ip::make_address;

TEST(AddressShare, ACustomerIsAnAddressOrTheNetworkOfOne) {
    EXPECT_EQ(customer_of("203.0.113.9"), "203.0.113.9");
    EXPECT_EQ(customer_of("::ffff:203.0.113.9"), "203.0.113.9");
    EXPECT_EQ(customer_of("2001:db8:1:2::1"), customer_of("2001:db8:1:2:ffff::9"));
    EXPECT_NE(customer_of("2001:db8:1:2::1"), customer_of("2001:db8:1:3::1"));
    EXPECT_EQ(customer_of("unix"), "unix");
}

TEST(AddressShare, EachAddressHasItsPlaces) {
    AddressShare share(2);
    auto first = share.take(make_address("203.0.113.9"));
    std::optional<AddressShare::Place> second(share.take(make_address("::ffff:203.0.113.9")));
    EXPECT_TRUE(first);
    EXPECT_TRUE(*second);
    EXPECT_FALSE(share.take(make_address("203.0.113.9")));
    EXPECT_TRUE(share.take(make_address("203.0.113.10"))) << "another one's";
    second.reset();
    EXPECT_TRUE(share.take(make_address("203.0.113.9"))) << "a place was given back";
}

TEST(AddressShare, ANetworkOf64BitsIsOne) {
    AddressShare share(1);
    const auto one = share.take(make_address("2001:db8:1:2::1"));
    EXPECT_FALSE(share.take(make_address("2001:db8:1:2:ffff::9")));
    EXPECT_TRUE(share.take(make_address("2001:db8:1:3::1")));
}

TEST(AddressShare, RemembersOnlyWhoIsThere) {
    AddressShare share(1);
    {
        std::vector<AddressShare::Place> places;
        for (int i = 0; i < 100; ++i) {
            places.push_back(share.take(make_address("203.0.113." + std::to_string(i))));
        }
        EXPECT_EQ(share.addresses(), 100U);
    }
    EXPECT_EQ(share.addresses(), 0U);
}

}  // namespace
}  // namespace confab::web
