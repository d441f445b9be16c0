#include "web/drop_received.hpp"

#include <array>
#include <cerrno>

#include <sys/socket.h>

namespace confab::web {

boost::system::error_code drop_received(net::TcpSocket& socket) {
    thread_local std::array<char, 64 * 1024> dropped;
    for (int i = 0; i < 16; ++i) {
        const ssize_t got = ::recv(socket.native_handle(), dropped.data(), dropped.size(), MSG_DONTWAIT);
        if (got == 0) {
            return boost::asio::error::eof;
        }
        if (got < 0) {
            const bool nothing_yet = errno == EAGAIN || errno == EINTR;
            return nothing_yet ? boost::system::error_code() : boost::system::error_code(errno, boost::system::system_category());
        }
    }
    return {};
}

}  // namespace confab::web
