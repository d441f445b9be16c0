// Listener: one shard's acceptor (SO_REUSEPORT: the kernel spreads the connections) and the sessions it begot.
#pragma once

#include <functional>
#include <list>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "net/task_group.hpp"
#include "web/address_share.hpp"
#include "web/session.hpp"

namespace confab::web {

inline constexpr std::size_t kConnectionsPerShardMax =
    8192;  // beyond it, waiting connections stay in the kernel's backlog

// Connections of a shard in the narrow lane (session.hpp). Each is there for a second at most, and one that has said
// nothing yet makes way for a new one.
inline constexpr std::size_t kNarrowMax = 32;
// Of those that were answered there, how many are waited for until they have read it.
inline constexpr std::size_t kNarrowLingeringMax = 128;

class Listener {
public:
    Listener(SessionEnvironment& environment, net::TcpAcceptor acceptor);

    // Binds `endpoint`; port 0 lets the kernel choose. Errors: invalid_request with a message for people (address in
    // use, ...).
    static base::Result<net::TcpAcceptor> bind(net::Executor executor, const boost::asio::ip::tcp::endpoint& endpoint);

    void start();
    void stop_accepting();
    // Ends all sessions and waits for them; to be called after stop_accepting, on the shard.
    net::Task<void> close();

    // Closes the connections that serve, or served last, a request of this user; on the shard. Not the one whose
    // request has the id `except`.
    void end_requests_of(std::int64_t user_no, std::string_view except);
    // Ends what lasts of requests whose caller fits: streams, and handlers that wait for something. A short answer is
    // still sent.
    void end_requests_where(const std::function<bool(const Caller&)>& fits);

private:
    net::Task<void> accept_loop();
    void accept_more();
    net::Task<void> run_session(net::TcpSocket socket);
    bool counts(const boost::asio::ip::address& address) const;
    meter::Lease lease_connection(bool secure);
    net::Task<std::optional<net::TcpSocket>> shake_hands(net::TcpSocket socket, Lane lane);
    net::Task<void> serve_narrowly(net::TcpSocket socket, Peer peer);
    bool make_way();

    SessionEnvironment& environment_;
    net::TcpAcceptor acceptor_;
    net::TaskGroup accepting_;
    AddressShare addresses_;
    std::size_t narrow_handshakes_ = 0;  // of connections that come into the narrow lane
    std::size_t narrow_lingering_ = 0;
    std::list<Session*> narrow_;  // sessions in the narrow lane, oldest first
    std::unordered_set<Session*> live_;  // the sessions' coroutines own them
    net::TaskGroup sessions_;
    net::TaskGroup tls_;  // carries bytes of sessions in sessions_
};

}  // namespace confab::web
