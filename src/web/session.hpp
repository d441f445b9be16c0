// Session: one client connection, from accept to close. Owned by the coroutine that runs it; lives on one shard.
//
// For each request: read the head -> gate -> route -> authenticate -> lease and read the body -> handler -> answer. (A
// handler of a streamed route reads the body itself.) Whatever goes wrong before the body has been read closes the
// connection, so that unread bytes are never taken for the next request.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/beast/core/flat_buffer.hpp>

#include "meter/byte_budget.hpp"
#include "meter/counters.hpp"
#include "net/deadline.hpp"
#include "net/shard.hpp"
#include "net/task.hpp"
#include "web/body_reader.hpp"
#include "web/exchange.hpp"
#include "web/gate.hpp"
#include "web/router.hpp"
#include "web/stream_output.hpp"

namespace confab::web {

inline constexpr std::size_t kUnsentBytesMax = 64 * 1024;  // in the kernel, of one connection; it would take megabytes
inline constexpr std::chrono::seconds kHeadMax{10};        // from a request's first byte to the end of its head
inline constexpr std::chrono::seconds kKeepAliveMax{75};   // between two requests

// What every session of a shard shares. Outlives them.
struct SessionEnvironment {
    net::Shard& shard;
    const Router& router;
    meter::ByteBudget& budget;
    meter::HttpCounters& counters;
    const std::vector<std::string>& allowed_hosts;
    const std::atomic<bool>& draining;
    // Checks who asks and whether the route's access allows it; fills request.caller.
    std::function<net::Task<base::Status>(Request&, const Route&)> admit;
};

class Session final : public Exchange {
public:
    Session(net::TcpSocket socket, SessionEnvironment& environment);
    ~Session() override;

    // Serves requests until the connection ends.
    net::Task<void> run();

    // Closes the connection when the request it serves, or served last, is of this user and has not the id `except`.
    void end_request_of(std::int64_t user_no, std::string_view except);

    Request& request() override { return request_; }

    net::Task<base::Result<std::string_view>> read_body_piece() override;

    void watch_client(std::function<void()> callback) override;
    void unwatch_client() override;

private:
    using Parser = BodyReader::Parser;
    enum class Next : std::uint8_t { next_request, close, close_lingering };

    net::Task<Next> serve_one();
    net::Task<base::Result<std::size_t>> read_head();
    base::Status parse_head(Parser& parser, std::string_view head, const GateVerdict& verdict);
    net::Task<base::Result<const Route*>> admit(const GateVerdict& verdict, Reply& refusal);
    net::Task<base::Result<Reply>> take_and_handle(const Route& route, BodyReader& body);
    net::Task<base::Result<Reply>> handle(const Route& route);
    net::Task<bool> send(Reply& reply);
    net::Task<bool> send_stream(Reply& reply);
    net::Task<void> linger();
    std::string render_head(const Reply& reply, std::optional<std::size_t> content_length) const;
    void count(const Reply& reply);

    net::TcpSocket socket_;
    SessionEnvironment& environment_;
    boost::beast::flat_buffer buffer_;
    Request request_;
    net::Deadline deadline_ = net::Deadline::never();
    BodyReader* body_ = nullptr;  // while a handler reads the body itself
    net::Ticker::Subscription tick_;
    meter::LiveHandle live_;
    bool client_gone_ = false;
    bool streams_chunked_ = false;  // how render_head() announces a streamed answer
    Wire wire_{socket_, deadline_, client_gone_, environment_.counters};

    // State of watch_client, shared with a wait that may outlive the session.
    struct Watch {
        std::function<void()> callback;  // null: nobody wants to know
        bool waits = false;              // for the socket
    };

    std::shared_ptr<Watch> watch_ = std::make_shared<Watch>();
};

}  // namespace confab::web
