// Who is at the other end of a connection.
#pragma once

#include <boost/asio/ip/address.hpp>

namespace confab::web {

struct Peer {
    boost::asio::ip::address address;
    bool secure = false;  // TLS protects what is said
};

}  // namespace confab::web
