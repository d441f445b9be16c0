// Listener: one shard's acceptor (SO_REUSEPORT: the kernel spreads the connections) and the sessions it begot.
#pragma once

#include <string_view>
#include <unordered_set>

#include "net/task_group.hpp"
#include "web/session.hpp"

namespace confab::web {

inline constexpr std::size_t kConnectionsPerShardMax =
    8192;  // beyond it, waiting connections stay in the kernel's backlog

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

private:
    net::Task<void> accept_loop();
    net::Task<void> run_session(net::TcpSocket socket);

    SessionEnvironment& environment_;
    net::TcpAcceptor acceptor_;
    net::TaskGroup accepting_;
    std::unordered_set<Session*> live_;  // the sessions' coroutines own them
    net::TaskGroup sessions_;
};

}  // namespace confab::web
