// Reading without keeping: what a client still sends when its answer is decided.
#pragma once

#include "net/task.hpp"

namespace confab::web {

// Drops everything that has come so far, up to 1 MiB, without waiting; an error when the client has ended its side, or is
// gone.
boost::system::error_code drop_received(net::TcpSocket& socket);

}  // namespace confab::web
