#include "web/listener.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include "web/tls_connection.hpp"

namespace confab::web {

namespace {

namespace asio = boost::asio;
using net::Task;
using net::use_task;
using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

constexpr std::size_t kAcceptedAtOnce = 16;              // of those who wait, before others of the shard have their turn
constexpr std::chrono::milliseconds kAcceptRetry{100};  // after running out of descriptors
constexpr std::chrono::milliseconds kNarrowRetry{10};   // while the narrow lane is full

// A session stands in the list for as long as it lives.
class Listed {
public:
    Listed(std::unordered_set<Session*>& list, Session& session) : list_(list), session_(session) {
        list_.insert(&session_);
    }

    Listed(const Listed&) = delete;
    Listed& operator=(const Listed&) = delete;

    ~Listed() { list_.erase(&session_); }

private:
    std::unordered_set<Session*>& list_;
    Session& session_;
};

// The same in the narrow lane.
class Queued {
public:
    Queued(std::list<Session*>& lane, Session& session) : lane_(lane), place_(lane.insert(lane.end(), &session)) {}

    Queued(const Queued&) = delete;
    Queued& operator=(const Queued&) = delete;

    ~Queued() { lane_.erase(place_); }

private:
    std::list<Session*>& lane_;
    std::list<Session*>::iterator place_;
};

// One more, for as long as it lives.
class Counted {
public:
    explicit Counted(std::size_t& count) : count_(count) { ++count_; }

    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

    ~Counted() { --count_; }

private:
    std::size_t& count_;
};

// Without reading what is asked, so a client that is quick may see its connection reset instead.
void refuse(net::TcpSocket& socket) {
    static constexpr std::string_view kTooMany =
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: 5\r\nconnection: close\r\n\r\n"
        R"({"error":{"message":"Too many connections from this address.","type":"rate_limit_error","param":null,"code":"too_many_connections"}})";
    ::send(socket.native_handle(), kTooMany.data(), kTooMany.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

Listener::Listener(SessionEnvironment& environment, net::TcpAcceptor acceptor)
    : environment_(environment),
      acceptor_(std::move(acceptor)),
      accepting_(environment.shard.executor(), "accept"),
      addresses_(environment.connections_per_address),
      sessions_(environment.shard.executor(), "sessions"),
      tls_(environment.shard.executor(), "tls") {}

base::Result<net::TcpAcceptor> Listener::bind(net::Executor executor, const asio::ip::tcp::endpoint& endpoint) {
    net::TcpAcceptor acceptor(executor);
    boost::system::error_code ec;
    acceptor.open(endpoint.protocol(), ec);
    if (!ec) {
        acceptor.set_option(asio::socket_base::reuse_address(true), ec);
    }
    if (!ec) {
        acceptor.set_option(reuse_port(true), ec);
    }
    if (!ec) {
        acceptor.bind(endpoint, ec);
    }
    if (!ec) {
        acceptor.listen(4096, ec);
    }
    if (ec) {
        return base::invalid(
            "listen",
            "Cannot listen on " + endpoint.address().to_string() + ":" + std::to_string(endpoint.port()) + ": " +
                ec.message() + "."
        );
    }
    return acceptor;
}

void Listener::start() {
    boost::system::error_code ec;
    acceptor_.non_blocking(true, ec);  // for accept_more()
    accepting_.spawn(accept_loop());
}

Task<void> Listener::accept_loop() {
    while (acceptor_.is_open()) {
        if (sessions_.size() >= kConnectionsPerShardMax) {
            co_await net::sleep_for(kAcceptRetry);
            continue;
        }
        if (narrow_.size() + narrow_handshakes_ >= kNarrowMax) {
            co_await net::sleep_for(make_way() ? std::chrono::milliseconds(0) : kNarrowRetry);
            continue;
        }
        boost::system::error_code ec;
        net::TcpSocket socket = co_await acceptor_.async_accept(asio::redirect_error(use_task, ec));
        if (!ec) {
            sessions_.spawn(run_session(std::move(socket)));
            accept_more();
        } else if (ec == asio::error::operation_aborted) {
            co_return;
        } else {
            spdlog::warn("accept_failed error=\"{}\"", ec.message());
            co_await net::sleep_for(kAcceptRetry);
        }
    }
}

// Whoever else waits already: one in each round of a busy shard would be some ten in a second.
void Listener::accept_more() {
    const auto has_room = [this](std::size_t more) {  // in the narrow lane, too, if that is where they go
        return sessions_.size() < kConnectionsPerShardMax && narrow_.size() + narrow_handshakes_ + more < kNarrowMax;
    };
    for (std::size_t i = 1; i < kAcceptedAtOnce && has_room(i); ++i) {
        boost::system::error_code ec;
        net::TcpSocket socket = acceptor_.accept(ec);
        if (ec) {
            return;  // nobody; or what the loop will find as well
        }
        sessions_.spawn(run_session(std::move(socket)));
    }
}

Task<void> Listener::run_session(net::TcpSocket socket) {
    boost::system::error_code ec;
    Peer peer{socket.remote_endpoint(ec).address(), environment_.tls != nullptr};
    if (ec) {
        co_return;
    }
    AddressShare::Place place;
    if (counts(peer.address)) {
        auto taken = addresses_.take(peer.address);
        if (!taken) {
            refuse(socket);
            co_return;
        }
        place = std::move(taken);
    }
    meter::Lease lease = lease_connection(peer.secure);
    const Lane lane = lease.bytes() == 0 ? Lane::narrow : Lane::normal;
    if (peer.secure) {
        auto clear = co_await shake_hands(std::move(socket), lane);
        if (!clear) {
            co_return;
        }
        socket = std::move(*clear);
    }
    if (lane == Lane::narrow) {
        co_await serve_narrowly(std::move(socket), std::move(peer));
        co_return;
    }
    Session session(std::move(socket), environment_, std::move(peer), std::move(lease));
    const Listed listed(live_, session);
    co_await session.serve();
    co_await session.leave();
}

// Who passes others' requests on has many connections; and so may, unless told otherwise, whatever runs on this machine.
bool Listener::counts(const asio::ip::address& address) const {
    return !environment_.proxies.contains(address) && (environment_.count_loopback || !address.is_loopback());
}

// Empty, for the narrow lane, when connections are refused or the budget is used up.
meter::Lease Listener::lease_connection(bool secure) {
    if (environment_.pressure.active(meter::Action::refuse_connections)) {
        return {};
    }
    const std::uint64_t bytes = meter::kConnectionLeaseBytes + (secure ? kTlsConnectionBytes : 0);
    auto leased = environment_.budget.try_lease(bytes, meter::Purpose::connections);
    return leased ? *std::move(leased) : meter::Lease();
}

Task<std::optional<net::TcpSocket>> Listener::shake_hands(net::TcpSocket socket, Lane lane) {
    const bool narrow = lane == Lane::narrow;
    const auto most = narrow ? kNarrowHandshakeMax : kHandshakeMax;
    const auto connection = std::make_shared<TlsConnection>(environment_.shard, std::move(socket), environment_.tls, most);
    narrow_handshakes_ += narrow ? 1 : 0;
    auto clear = co_await connection->open(tls_);
    narrow_handshakes_ -= narrow ? 1 : 0;
    co_return clear;
}

Task<void> Listener::serve_narrowly(net::TcpSocket socket, Peer peer) {
    Session session(std::move(socket), environment_, std::move(peer), {});
    const Listed listed(live_, session);
    {
        const Queued queued(narrow_, session);
        co_await session.serve();
    }
    const Counted counted(narrow_lingering_);  // the place is another one's already
    co_await session.leave(narrow_lingering_ <= kNarrowLingeringMax);
}

// Ends the oldest session in the narrow lane that has said nothing yet; false when all have.
bool Listener::make_way() {
    return std::ranges::any_of(narrow_, [](Session* session) { return session->end_if_silent(); });
}

// What a client's leaving sets off might end sessions: those that are left are looked up again.
void Listener::end_requests_of(std::int64_t user_no, std::string_view except) {
    const std::vector<Session*> all(live_.begin(), live_.end());
    for (Session* session : all) {
        if (live_.contains(session)) {
            session->end_request_of(user_no, except);
        }
    }
}

void Listener::end_requests_where(const std::function<bool(const Caller&)>& fits) {
    const std::vector<Session*> all(live_.begin(), live_.end());
    for (Session* session : all) {
        if (live_.contains(session)) {
            session->end_request_where(fits);
        }
    }
}

void Listener::stop_accepting() {
    boost::system::error_code ec;
    acceptor_.close(ec);
    accepting_.cancel();
}

Task<void> Listener::close() {
    sessions_.cancel();
    co_await sessions_.join();
    co_await tls_.join();  // within kFarewellMax
    co_await accepting_.join();
}

}  // namespace confab::web
