// TlsConnection: between a client that speaks TLS and a Session, which does not know of it.
//
// The session gets one end of a socket pair; two coroutines carry bytes between the other end and the client. That costs a copy more for each
// byte, and leaves the path of a token over a plain connection, and everything that is said about sessions, as it is.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>

#include "net/deadline.hpp"
#include "net/shard.hpp"
#include "net/task_group.hpp"
#include "net/waker.hpp"
#include "web/tls_certificate.hpp"

namespace confab::web {

inline constexpr std::chrono::seconds kHandshakeMax{10};
inline constexpr std::chrono::seconds kNarrowHandshakeMax{1};   // in the narrow lane
inline constexpr std::chrono::seconds kFarewellMax{2};       // from the session's end to the last byte on the client's socket
inline constexpr std::size_t kTlsConnectionBytes = 96 * 1024;  // leased by the listener: OpenSSL's and our buffers in both directions

class TlsConnection : public std::enable_shared_from_this<TlsConnection> {
public:
    TlsConnection(net::Shard& shard, net::TcpSocket socket, TlsContext context, std::chrono::seconds handshake_max);

    // Shakes hands. The session's end of what is said then, whose bytes `group` carries until one side has closed; nothing: the client
    // left, took too long, or speaks something else. One that speaks plain HTTP is told so.
    net::Task<std::optional<net::TcpSocket>> open(net::TaskGroup& group);

private:
    using ClearSocket = boost::asio::basic_stream_socket<boost::asio::local::stream_protocol, net::Executor>;

    net::Task<bool> client_speaks_tls();
    std::optional<net::TcpSocket> make_pair();
    static net::Task<void> carry_in(std::shared_ptr<TlsConnection> self);
    static net::Task<void> carry_out(std::shared_ptr<TlsConnection> self);
    net::Task<void> say_goodbye();

    net::Executor executor_;
    TlsContext context_;
    boost::asio::ssl::stream<net::TcpSocket> client_;
    ClearSocket clear_;
    net::Deadline deadline_;
    net::Ticker::Subscription tick_;
    net::Waker in_ended_;
    bool in_is_over_ = false;
};

}  // namespace confab::web
