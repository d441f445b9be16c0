// Servers in front of this one (nginx, Caddy) that are believed when they say for whom they ask.
//
// Anybody can send X-Forwarded-For and X-Forwarded-Proto; what they say counts only when it comes from one of these, and only as
// far as they vouch for it: the list is read from its end, and the first address that is none of them is the client.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include "base/error.hpp"
#include "web/exchange.hpp"
#include "web/peer.hpp"

namespace confab::web {

class TrustedProxies {
public:
    // Addresses or networks: "127.0.0.1", "10.0.0.0/8", "fd00::/8". Error: invalid_request (param trusted_proxies).
    static base::Result<TrustedProxies> parse(const std::vector<std::string>& networks);

    bool contains(const boost::asio::ip::address& address) const;

    // For whom a request comes that `peer` sent.
    Peer client_of(const Peer& peer, const Request& request) const;

private:
    std::vector<boost::asio::ip::network_v4> v4_;
    std::vector<boost::asio::ip::network_v6> v6_;
};

}  // namespace confab::web
