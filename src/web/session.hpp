// Session: one client connection, from accept to close. Owned by the coroutine that runs it; lives on one shard.
//
// For each request: read the head -> gate -> route -> authenticate -> lease and read the body -> handler -> answer.
// Whatever goes wrong before the body has been read closes the connection, so that unread bytes are never taken for the
// next request.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "meter/byte_budget.hpp"
#include "meter/counters.hpp"
#include "net/deadline.hpp"
#include "net/shard.hpp"
#include "net/task.hpp"
#include "web/exchange.hpp"
#include "web/gate.hpp"
#include "web/router.hpp"

namespace confab::web {

inline constexpr std::chrono::seconds kHeadMax{10};        // from a request's first byte to the end of its head
inline constexpr std::chrono::seconds kKeepAliveMax{75};   // between two requests
inline constexpr std::chrono::seconds kBodyIdleMax{20};    // between two reads of a body
inline constexpr std::chrono::seconds kWriteStallMax{30};  // a client that takes nothing for so long is dropped
inline constexpr std::chrono::seconds kBodyGrace{30};  // of a whole body, besides what its size needs at the least rate
inline constexpr std::uint64_t kBodyRateMin = 64 * 1024;   // bytes per second; slower senders are dropped
inline constexpr std::size_t kBodyPieceBytes = 64 * 1024;  // a body is leased as it arrives, in steps of this size

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

class Session final : public Exchange, public StreamWriter {
public:
    Session(net::TcpSocket socket, SessionEnvironment& environment);
    ~Session() override;

    // Serves requests until the connection ends.
    net::Task<void> run();

    Request& request() override { return request_; }

    void watch_client(std::function<void()> callback) override;
    void unwatch_client() override;

    net::Task<bool> write(std::string_view bytes) override;

    bool client_gone() const override { return client_gone_; }

    void drop() override { deadline_ = net::Deadline::after(std::chrono::seconds(0)); }

private:
    using Parser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;
    enum class Next : std::uint8_t { next_request, close, close_lingering };

    net::Task<Next> serve_one();
    net::Task<base::Result<std::size_t>> read_head();
    base::Status parse_head(Parser& parser, std::string_view head, const GateVerdict& verdict);
    net::Task<base::Result<const Route*>> admit(const GateVerdict& verdict, Reply& refusal);
    net::Task<base::Status> read_body(Parser& parser, const GateVerdict& verdict, std::uint64_t bytes_max);
    net::Task<base::Status> read_body_pieces(Parser& parser, std::uint64_t bytes_max);
    net::Task<base::Result<Reply>> handle(const Route& route);
    net::Task<bool> send(Reply& reply);
    net::Task<bool> send_stream(Reply& reply);
    net::Task<bool> write_all(const std::vector<boost::asio::const_buffer>& buffers);
    net::Task<void> linger();
    std::string render_head(const Reply& reply, std::optional<std::size_t> content_length) const;
    void count(const Reply& reply);

    net::TcpSocket socket_;
    SessionEnvironment& environment_;
    boost::beast::flat_buffer buffer_;
    Request request_;
    net::Deadline deadline_ = net::Deadline::never();
    net::Deadline body_deadline_ = net::Deadline::never();  // of the whole body
    net::Ticker::Subscription tick_;
    meter::LiveHandle live_;
    bool client_gone_ = false;
    bool chunked_answer_ = false;

    // State of watch_client, shared with the wait that may outlive its cancellation.
    struct Watch {
        std::function<void()> callback;
        boost::asio::cancellation_signal signal;
    };

    std::shared_ptr<Watch> watch_;
};

}  // namespace confab::web
