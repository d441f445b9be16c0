#include "web/listener.hpp"

#include <spdlog/spdlog.h>

namespace confab::web {

namespace {

namespace asio = boost::asio;
using net::Task;
using net::use_task;
using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

constexpr std::chrono::milliseconds kAcceptRetry{100};  // after running out of descriptors

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

}  // namespace

Listener::Listener(SessionEnvironment& environment, net::TcpAcceptor acceptor)
    : environment_(environment),
      acceptor_(std::move(acceptor)),
      accepting_(environment.shard.executor(), "accept"),
      sessions_(environment.shard.executor(), "sessions") {}

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
    accepting_.spawn(accept_loop());
}

Task<void> Listener::accept_loop() {
    while (acceptor_.is_open()) {
        if (sessions_.size() >= kConnectionsPerShardMax) {
            co_await net::sleep_for(kAcceptRetry);
            continue;
        }
        boost::system::error_code ec;
        net::TcpSocket socket = co_await acceptor_.async_accept(asio::redirect_error(use_task, ec));
        if (!ec) {
            sessions_.spawn(run_session(std::move(socket)));
        } else if (ec == asio::error::operation_aborted) {
            co_return;
        } else {
            spdlog::warn("accept_failed error=\"{}\"", ec.message());
            co_await net::sleep_for(kAcceptRetry);
        }
    }
}

Task<void> Listener::run_session(net::TcpSocket socket) {
    Session session(std::move(socket), environment_);
    const Listed listed(live_, session);
    co_await session.run();
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

void Listener::stop_accepting() {
    boost::system::error_code ec;
    acceptor_.close(ec);
    accepting_.cancel();
}

Task<void> Listener::close() {
    sessions_.cancel();
    co_await sessions_.join();
    co_await accepting_.join();
}

}  // namespace confab::web
