#include "web/tls_connection.hpp"

#include <array>
#include <cctype>
#include <string_view>

#include <sys/socket.h>

#include <boost/asio/write.hpp>

namespace confab::web {

namespace {

namespace ssl = boost::asio::ssl;
using boost::asio::redirect_error;
using net::Task;
using net::use_task;

constexpr std::size_t kPieceBytes = 16 * 1024;  // a record of TLS holds no more
constexpr int kPairBytes = 64 * 1024;           // in the kernel, in each direction
constexpr unsigned char kHandshakeRecord = 22;  // RFC 8446, 5.1
constexpr std::string_view kSpeakTls =
    "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n"
    "This server speaks HTTPS. Use an address that begins with https://\n";

}  // namespace

TlsConnection::TlsConnection(net::Shard& shard, net::TcpSocket socket, TlsContext context, std::chrono::seconds handshake_max)
    : executor_(shard.executor()),
      context_(std::move(context)),
      client_(std::move(socket), *context_),
      clear_(executor_),
      deadline_(net::Deadline::after(handshake_max)),
      in_ended_(executor_) {
    tick_ = shard.ticker().every_tick([this](auto now) {
        if (now >= deadline_.at()) {
            deadline_ = net::Deadline::never();
            boost::system::error_code ec;
            client_.next_layer().close(ec);  // ends whatever operation is waiting
        }
    });
}

Task<std::optional<net::TcpSocket>> TlsConnection::open(net::TaskGroup& group) {
    boost::system::error_code ec;
    client_.next_layer().set_option(net::asio::ip::tcp::no_delay(true), ec);
    if (!co_await client_speaks_tls()) {
        co_return std::nullopt;
    }
    co_await client_.async_handshake(ssl::stream_base::server, redirect_error(use_task, ec));
    if (ec) {
        co_return std::nullopt;
    }
    deadline_ = net::Deadline::never();
    auto session_end = make_pair();
    if (session_end && (!group.spawn(carry_in(shared_from_this())) || !group.spawn(carry_out(shared_from_this())))) {
        session_end.reset();
    }
    co_return session_end;
}

Task<bool> TlsConnection::client_speaks_tls() {
    auto& socket = client_.next_layer();
    boost::system::error_code ec;
    co_await socket.async_wait(net::TcpSocket::wait_read, redirect_error(use_task, ec));
    unsigned char first = 0;
    if (ec || ::recv(socket.native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1) {
        co_return false;
    }
    if (std::isupper(first) != 0) {  // a method
        std::array<char, 1024> request{};
        co_await socket.async_read_some(net::asio::buffer(request), redirect_error(use_task, ec));
        co_await net::asio::async_write(socket, net::asio::buffer(kSpeakTls), redirect_error(use_task, ec));
    }
    co_return first == kHandshakeRecord;
}

// Two ends of a local connection; a TcpSocket does not mind of which kind the socket is that it reads and writes.
std::optional<net::TcpSocket> TlsConnection::make_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return std::nullopt;
    }
    for (const int end : ends) {
        ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &kPairBytes, sizeof kPairBytes);
    }
    clear_.assign(net::asio::local::stream_protocol(), ends[0]);
    net::TcpSocket session_end(executor_);
    session_end.assign(net::asio::ip::tcp::v4(), ends[1]);
    return session_end;
}

Task<void> TlsConnection::carry_in(std::shared_ptr<TlsConnection> self) {
    std::array<char, kPieceBytes> piece;
    boost::system::error_code ec;
    while (!ec) {
        const std::size_t got = co_await self->client_.async_read_some(net::asio::buffer(piece), redirect_error(use_task, ec));
        if (!ec) {
            co_await net::asio::async_write(self->clear_, net::asio::buffer(piece, got), redirect_error(use_task, ec));
        }
    }
    self->clear_.shutdown(net::asio::socket_base::shutdown_send, ec);  // the session sees that the client has left
    self->in_is_over_ = true;
    self->in_ended_.notify();
}

Task<void> TlsConnection::carry_out(std::shared_ptr<TlsConnection> self) {
    std::array<char, kPieceBytes> piece;
    boost::system::error_code ec;
    while (!ec) {
        const std::size_t got = co_await self->clear_.async_read_some(net::asio::buffer(piece), redirect_error(use_task, ec));
        if (!ec) {
            co_await net::asio::async_write(self->client_, net::asio::buffer(piece, got), redirect_error(use_task, ec));
        }
    }
    self->clear_.close(ec);  // what the session writes from now on fails
    co_await self->say_goodbye();
}

// "close_notify": so the client knows that nothing was cut off. Only when nobody reads any more: the stream bears one reader.
Task<void> TlsConnection::say_goodbye() {
    boost::system::error_code ec;
    deadline_ = net::Deadline::after(kFarewellMax);
    client_.next_layer().cancel(ec);
    while (!in_is_over_) {
        co_await in_ended_.wait();
    }
    co_await client_.async_shutdown(redirect_error(use_task, ec));
    client_.next_layer().close(ec);
}

}  // namespace confab::web
