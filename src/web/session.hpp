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

#include "base/log.hpp"
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
#include "web/tls_certificate.hpp"
#include "web/trusted_proxies.hpp"

namespace confab::web {

inline constexpr std::size_t kUnsentBytesMax = 64 * 1024;  // in the kernel, of one connection; it would take megabytes
inline constexpr std::chrono::seconds kHeadMax{10};        // from a request's first byte to the end of its head
inline constexpr std::chrono::seconds kKeepAliveMax{75};   // between two requests
inline constexpr std::chrono::seconds kPressedIdleMax{2};  // the same while no new answers are begun
inline constexpr std::chrono::milliseconds kNarrowHeadMax{1000};   // of a connection in the narrow lane, for its head
inline constexpr std::chrono::milliseconds kNarrowLingerMax{200};  // and after its answer
inline constexpr std::size_t kReplyUnleasedMax = 16 * 1024;        // a larger answer is leased while it is being sent

// How a connection is served. One that comes while connections are refused, or for which no bytes are left, is still
// read from, because an answer that says so costs less than a client that waits and tries again, and because health,
// stopping and signing out must always get through. It serves one request and is closed.
enum class Lane : std::uint8_t { normal, narrow };

// What every session of a shard shares. Outlives them.
struct SessionEnvironment {
    net::Shard& shard;
    const Router& router;
    meter::ByteBudget& budget;
    meter::Pressure& pressure;
    meter::HttpCounters& counters;
    const std::vector<std::string>& allowed_hosts;
    const std::atomic<bool>& draining;
    const TrustedProxies& proxies;
    std::size_t connections_per_address = 0;  // of this shard
    bool count_loopback = false;              // those from this machine as well
    TlsContext tls;  // null: plain HTTP. Connections that are open keep theirs when it is replaced
    // Checks who asks and whether the route's access allows it; fills request.caller.
    std::function<net::Task<base::Status>(Request&, const Route&)> admit;
    spdlog::level::level_enum request_log_level = spdlog::level::debug;  // of the line about each request
    meter::Tracer* tracer = nullptr;                                     // null: tracing is off
};

class Session final : public Exchange {
public:
    // `lease` is of what the connection buffers; an empty one puts the session into the narrow lane.
    Session(net::TcpSocket socket, SessionEnvironment& environment, Peer peer, meter::Lease lease);
    ~Session() override;

    // Serves requests until the last one is answered; then the connection is to be taken leave of.
    net::Task<void> serve();
    // Closes the connection. `lingering`: reads on for a moment before, when there may be something unread: a close would
    // reset the connection and take the answer with it.
    net::Task<void> leave(bool lingering = true);

    // Closes the connection when the request it serves, or served last, is of this user and has not the id `except`.
    void end_request_of(std::int64_t user_no, std::string_view except);

    // Closes a connection that waits for the head of a request, and has said nothing yet. False when it does not.
    bool end_if_silent();

    // Closes the connection when its request's caller fits and it lasts, now or later: see Listener::end_requests_where.
    void end_request_where(const std::function<bool(const Caller&)>& fits);

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
    void look_at_clock(net::Deadline::Clock::time_point now);
    void lease_reply(Reply& reply);
    void let_go();
    void close_for_good();
    net::Task<void> linger();
    std::string render_head(const Reply& reply, std::optional<std::size_t> content_length) const;
    void begin_request();
    void count_request();
    void count(const Reply& reply);
    void begin_trace();
    void log_request() const;
    void trace_request();

    net::TcpSocket socket_;
    SessionEnvironment& environment_;
    Peer peer_;
    const Lane lane_;
    const meter::Lease lease_;
    boost::beast::flat_buffer buffer_;
    Request request_;
    net::Deadline deadline_ = net::Deadline::never();
    bool idle_ = false;           // between two requests
    bool awaits_head_ = false;
    bool has_unread_ = false;     // after the last request
    BodyReader* body_ = nullptr;  // while a handler reads the body itself
    net::Ticker::Subscription tick_;
    meter::LiveHandle live_;
    bool client_gone_ = false;
    bool served_before_ = false;    // on this connection
    unsigned status_ = 0;           // of the answer; 0: there was no request
    const Route* route_ = nullptr;  // of the request; null: it was refused before one was found
    std::chrono::steady_clock::time_point request_begun_;
    meter::SpanId trace_parent_{};  // the caller's span
    bool ended_ = false;  // the caller's credential ended while the request is served: it must not last
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
