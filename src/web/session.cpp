#include "web/session.hpp"

#include <algorithm>
#include <ctime>

#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include "base/ids.hpp"
#include "base/text.hpp"
#include "web/drop_received.hpp"

namespace confab::web {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using base::Errc;
using base::fail;
using net::Deadline;
using net::Task;
using net::use_task;

using unsent_bytes_max = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>;

constexpr std::size_t kReadStepBytes = 4096;
constexpr std::chrono::seconds kLingerMax{2};
constexpr std::string_view kEndOfHead = "\r\n\r\n";

std::string_view reason(unsigned status) {
    const auto text = http::obsolete_reason(static_cast<http::status>(status));
    return {text.data(), text.size()};
}

// RFC 9110's fixed date form, rendered once per second and thread.
const std::string& http_date() {
    thread_local std::time_t rendered_at = 0;
    thread_local std::string text;
    const std::time_t now = std::time(nullptr);
    if (now != rendered_at) {
        std::tm parts{};
        gmtime_r(&now, &parts);
        char line[40];
        text.assign(line, std::strftime(line, sizeof line, "%a, %d %b %Y %H:%M:%S GMT", &parts));
        rendered_at = now;
    }
    return text;
}

// A line that ends with a bare LF can only come from somebody who wants two parsers to disagree: refused as soon as it
// is seen.
bool has_bare_line_feed(std::string_view text) {
    for (auto at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
        if (at == 0 || text[at - 1] != '\r') {
            return true;
        }
    }
    return false;
}

bool is_short_ascii(std::string_view text) {
    return !text.empty() && text.size() <= 512 &&
           std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F; });
}

}  // namespace

Session::Session(net::TcpSocket socket, SessionEnvironment& environment, Peer peer, meter::Lease lease)
    : socket_(std::move(socket)),
      environment_(environment),
      peer_(std::move(peer)),
      lane_(lease.bytes() == 0 ? Lane::narrow : Lane::normal),
      lease_(std::move(lease)),
      buffer_(kHeadBytesMax + kBodyPieceBytes),
      live_(environment.counters.connections_live) {
    environment_.counters.connections_opened.add();
    tick_ = environment_.shard.ticker().every_tick([this](auto now) { look_at_clock(now); });
}

Session::~Session() {
    unwatch_client();
}

Task<void> Session::serve() {
    boost::system::error_code ec;
    socket_.set_option(asio::ip::tcp::no_delay(true), ec);
    socket_.set_option(unsent_bytes_max(static_cast<int>(kUnsentBytesMax)), ec);
    Next next = Next::next_request;
    while (next == Next::next_request) {
        next = co_await serve_one();
        log_request();
        trace_request();
    }
    has_unread_ = next == Next::close_lingering;
    socket_.shutdown(asio::socket_base::shutdown_send, ec);
}

Task<void> Session::leave(bool lingering) {
    if (has_unread_ && lingering) {
        co_await linger();
    }
    boost::system::error_code ec;
    socket_.close(ec);
}

void Session::look_at_clock(Deadline::Clock::time_point now) {
    const bool too_idle = idle_ && environment_.pressure.active(meter::Action::refuse_runs) &&
                          now >= deadline_.at() - (kKeepAliveMax - kPressedIdleMax);
    if (!too_idle && now < deadline_.at()) {
        return;
    }
    if (too_idle) {
        environment_.pressure.count(meter::Shed::idle_closed);
    }
    idle_ = false;
    deadline_ = Deadline::never();
    client_gone_ = true;
    boost::system::error_code ec;
    socket_.close(ec);  // ends whatever operation is waiting
}

// ---- one request ----

Task<Session::Next> Session::serve_one() {
    const auto head_bytes = co_await read_head();
    awaits_head_ = false;
    begin_request();
    if (!head_bytes) {
        if (head_bytes.error().errc == Errc::cancelled) {
            co_return Next::close;  // the client left, or was idle for too long
        }
        count_request();
        environment_.counters.refused_requests.add();
        Reply refusal = error_reply(head_bytes.error());
        co_await send(refusal);
        co_return Next::close_lingering;
    }
    count_request();
    const std::string_view head(static_cast<const char*>(buffer_.data().data()), *head_bytes);
    const auto verdict = admit_head(head);
    Parser parser;
    auto parsed = verdict ? parse_head(parser, head, *verdict) : base::Status(std::unexpected(verdict.error()));
    if (!parsed) {
        environment_.counters.refused_requests.add();
        Reply refusal = error_reply(parsed.error());
        co_await send(refusal);
        co_return Next::close_lingering;
    }
    begin_trace();
    const bool has_body = verdict->chunked || verdict->content_length.value_or(0) > 0;
    const bool keep_alive = request_.keep_alive;
    const std::string_view expectation = request_.header("expect");
    Reply reply;
    const auto route = co_await admit(*verdict, reply);
    buffer_.consume(*head_bytes);  // `verdict` is not to be looked at any more, but for its numbers
    if (route) {
        if (has_body && base::iequals(expectation, "100-continue")) {
            static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
            const std::vector<asio::const_buffer> interim{asio::buffer(kContinue)};
            co_await write_all(wire_, interim);
        }
        BodyReader body(
            {socket_, buffer_, deadline_, environment_.counters},
            parser,
            {has_body, verdict->content_length, (*route)->body_bytes_max, (*route)->too_large_code}
        );
        auto handled = co_await take_and_handle(**route, body);
        reply = handled ? std::move(*handled) : error_reply(handled.error());
        lease_reply(reply);
        request_.keep_alive = keep_alive && body.done() && lane_ == Lane::normal &&
                              !environment_.draining.load(std::memory_order_relaxed);
        count(reply);
        bool sent = false;
        if (reply.streamer) {
            sent = co_await send_stream(reply);
        } else {
            sent = co_await send(reply);
        }
        let_go();
        if (!body.done()) {
            co_return Next::close_lingering;
        }
        co_return sent&& request_.keep_alive ? Next::next_request : Next::close;
    }
    request_.keep_alive = !has_body && keep_alive && lane_ == Lane::normal;
    count(reply);
    const bool sent = co_await send(reply);
    let_go();
    if (sent && request_.keep_alive) {
        co_return Next::next_request;
    }
    co_return has_body ? Next::close_lingering : Next::close;
}

Task<base::Result<std::size_t>> Session::read_head() {
    std::size_t searched = 0;
    awaits_head_ = true;
    idle_ = buffer_.size() == 0 && lane_ == Lane::normal;
    deadline_ = Deadline::after(idle_ ? kKeepAliveMax : kHeadMax);
    if (lane_ == Lane::narrow) {
        deadline_ = Deadline::after(kNarrowHeadMax);
    }
    while (true) {
        const std::string_view seen(static_cast<const char*>(buffer_.data().data()), buffer_.size());
        const auto end = seen.find(kEndOfHead, searched >= 3 ? searched - 3 : 0);
        const std::string_view complete = end == std::string_view::npos ? seen : seen.substr(0, end);
        if (has_bare_line_feed(complete)) {
            co_return fail(Errc::invalid_request, "Lines of a request head must end with CR LF.", "bad_request");
        }
        if (end != std::string_view::npos) {
            co_return end + kEndOfHead.size();
        }
        if (seen.size() > kHeadBytesMax) {
            co_return fail(
                Errc::headers_too_large, "The request's headers are larger than 16 KiB.", "headers_too_large"
            );
        }
        searched = seen.size();
        boost::system::error_code ec;
        const std::size_t got =
            co_await socket_.async_read_some(buffer_.prepare(kReadStepBytes), asio::redirect_error(use_task, ec));
        if (ec) {
            co_return fail(Errc::cancelled, "The client closed the connection.");
        }
        if (std::exchange(idle_, false)) {
            deadline_ = Deadline::after(kHeadMax);
        }
        buffer_.commit(got);
        environment_.counters.bytes_received.add(got);
    }
}

base::Status Session::parse_head(Parser& parser, std::string_view head, const GateVerdict& verdict) {
    parser.header_limit(static_cast<std::uint32_t>(kHeadBytesMax));
    parser.body_limit(boost::none);  // BodyReader counts
    boost::system::error_code ec;
    parser.put(asio::const_buffer(head.data(), head.size()), ec);
    if ((ec && ec != http::error::need_buffer) || !parser.is_header_done()) {
        return fail(Errc::invalid_request, "The request head is malformed.", "bad_request");
    }
    const auto& message = parser.get();
    const auto question = verdict.target.find('?');
    auto path = decode_path(verdict.target.substr(0, question));
    if (!path) {
        return fail(Errc::invalid_request, "The path holds a malformed or forbidden escape.", "bad_request");
    }
    request_.method = verdict.method;
    request_.path = std::move(*path);
    request_.query.clear();
    if (question != std::string_view::npos) {
        request_.query = decode_query(verdict.target.substr(question + 1));
    }
    request_.headers.clear();
    for (const auto& field : message) {
        const auto name = field.name_string();
        const auto value = field.value();
        request_.headers.push_back(
            {base::ascii_lower({name.data(), name.size()}), std::string(value.data(), value.size())}
        );
    }
    request_.keep_alive = message.keep_alive();
    request_.http_1_0 = verdict.http_1_0;
    const Peer client = environment_.proxies.client_of(peer_, request_);
    request_.remote = client.address.to_string();
    request_.remote_is_loopback = client.address.is_loopback();
    request_.secure = client.secure;
    request_.from_proxy = environment_.proxies.contains(peer_.address);
    return {};
}

// Everything that can be decided without the body; on an error `refusal` is the answer.
Task<base::Result<const Route*>> Session::admit(const GateVerdict& verdict, Reply& refusal) {
    base::Result<const Route*> route = nullptr;
    std::string allowed;
    if (!host_is_allowed(base::ascii_lower(verdict.host), environment_.allowed_hosts)) {
        route = fail(
            Errc::misdirected,
            "This server does not answer to the host name in the request. Add it to allowed_hosts in the "
            "configuration.",
            "unknown_host"
        );
    } else {
        route = environment_.router.find(request_.method, request_.path, request_.path_arguments, allowed);
    }
    route_ = route ? *route : nullptr;
    if (route && lane_ == Lane::narrow && (*route)->load != Load::essential) {
        environment_.pressure.count(meter::Shed::connection_refused);
        route = fail(Errc::unavailable, "The server is short of memory. Try again shortly.", "overloaded");
    }
    if (route) {
        const auto admitted = co_await environment_.admit(request_, **route);
        if (!admitted) {
            route = std::unexpected(admitted.error());
        }
    }
    const std::string_view encoding = request_.header("content-encoding");
    if (route && !encoding.empty() && !base::iequals(encoding, "identity")) {
        route = fail(
            Errc::unsupported_media, "Compressed request bodies are not accepted.", "unsupported_content_encoding"
        );
    }
    if (route && verdict.content_length.value_or(0) > (*route)->body_bytes_max) {
        route = fail(
            Errc::too_large,
            "The request body is larger than the " + std::to_string((*route)->body_bytes_max) + " bytes allowed here.",
            std::string((*route)->too_large_code)
        );
    }
    if (!route) {
        refusal = error_reply(route.error());
        if (!allowed.empty()) {
            refusal.headers.push_back({"allow", allowed});
        }
    }
    co_return route;
}

// ---- the body ----

// What a handler needs of the body, then the handler.
Task<base::Result<Reply>> Session::take_and_handle(const Route& route, BodyReader& body) {
    request_.body.clear();
    if (route.body_mode == BodyMode::whole) {
        CO_TRY_VOID(co_await body.read_whole(
            request_.body, request_.lease, environment_.budget, request_.caller.user_no
        ));
        co_return co_await handle(route);
    }
    body_ = &body;
    auto result = co_await handle(route);
    body_ = nullptr;
    co_return result;
}

Task<base::Result<std::string_view>> Session::read_body_piece() {
    CONFAB_ASSERT(body_ != nullptr);
    co_return co_await body_->next();
}

// ---- the answer ----

// The root of a request: an exception ends here, as a 500 that names the request and nothing else.
Task<base::Result<Reply>> Session::handle(const Route& route) {
    deadline_ = Deadline::never();  // handlers keep deadlines of their own
    base::Result<Reply> result = fail(
        Errc::internal,
        "Something went wrong in the server. The log has details under " + request_.id + ".",
        "internal_error"
    );
    try {
        result = co_await route.handler(*this);
    } catch (const boost::system::system_error& e) {
        if (e.code() == asio::error::operation_aborted) {
            throw;  // the session is being ended
        }
        spdlog::error("request_failed id={} route={} error=\"{}\"", request_.id, route.pattern, e.what());
    } catch (const std::exception& e) {
        spdlog::error("request_failed id={} route={} error=\"{}\"", request_.id, route.pattern, e.what());
    }
    unwatch_client();
    co_return result;
}

// Nothing of the one before is left.
void Session::begin_request() {
    request_.id = "req_" + base::to_hex(base::make_uuid_v7());
    request_.keep_alive = false;
    request_.caller = Caller{};
    request_.method.clear();
    request_.trace.reset();
    request_.answer_headers.clear();
    ended_ = false;
    request_begun_ = Deadline::Clock::now();
    status_ = 0;
    route_ = nullptr;
}

void Session::count_request() {
    environment_.counters.requests.add();
    if (std::exchange(served_before_, true)) {
        environment_.counters.connections_reused.add();
    }
}

// The request has been answered.
void Session::let_go() {
    request_.body = std::string();
    request_.lease.release();
    request_.slot.release();
    request_.caller.ticket.reset();
}

// A long list or item is in memory until its client has taken it.
void Session::lease_reply(Reply& reply) {
    if (reply.body.size() <= kReplyUnleasedMax || reply.lease.bytes() > 0) {
        return;
    }
    request_.body = std::string();  // nobody needs it any more
    request_.lease.release();
    auto lease = environment_.budget.try_lease(reply.body.size(), meter::Purpose::replies, request_.caller.user_no);
    if (lease) {
        reply.lease = *std::move(lease);
    } else {
        reply = error_reply(lease.error());
    }
}

void Session::count(const Reply& reply) {
    if (reply.status >= 500) {
        environment_.counters.responses_5xx.add();
    } else if (reply.status >= 400) {
        environment_.counters.responses_4xx.add();
    }
}

std::string Session::render_head(const Reply& reply, std::optional<std::size_t> content_length) const {
    std::string head;
    head.reserve(512);
    head.append(request_.http_1_0 ? "HTTP/1.0 " : "HTTP/1.1 ").append(std::to_string(reply.status)).append(" ");
    head.append(reason(reply.status)).append("\r\n");
    const auto line = [&head](std::string_view name, std::string_view value) {
        head.append(name).append(": ").append(value).append("\r\n");
    };
    line("date", http_date());
    if (!reply.content_type.empty()) {
        line("content-type", reply.content_type);
    }
    if (content_length) {
        line("content-length", std::to_string(*content_length));
    } else if (streams_chunked_) {
        line("transfer-encoding", "chunked");
    }
    line("x-request-id", request_.id);
    const std::string_view client_id = request_.header("x-client-request-id");
    if (is_short_ascii(client_id)) {
        line("x-client-request-id", client_id);
    }
    line("x-content-type-options", "nosniff");
    for (const Header& header : request_.answer_headers) {
        line(header.name, header.value);
    }
    bool cache_control = false;
    for (const Header& header : reply.headers) {
        line(header.name, header.value);
        cache_control = cache_control || header.name == "cache-control";
    }
    if (!cache_control) {
        line("cache-control", "private, no-cache");
        line("vary", "authorization, cookie");
    }
    if (!request_.keep_alive) {
        line("connection", "close");
    } else if (request_.http_1_0) {
        line("connection", "keep-alive");
    }
    head.append("\r\n");
    return head;
}

Task<bool> Session::send(Reply& reply) {
    status_ = reply.status;
    const std::string_view body = reply.static_body.empty() ? std::string_view(reply.body) : reply.static_body;
    const bool bodiless = reply.status == 204 || reply.status == 304;
    const std::string head = render_head(reply, bodiless ? std::nullopt : std::optional<std::size_t>(body.size()));
    std::vector<asio::const_buffer> buffers{asio::buffer(head)};
    if (!bodiless && request_.method != "HEAD") {
        buffers.push_back(asio::buffer(body));
    }
    co_return co_await write_all(wire_, buffers);
}

Task<bool> Session::send_stream(Reply& reply) {
    status_ = reply.status;
    streams_chunked_ = !request_.http_1_0;
    if (request_.http_1_0) {
        request_.keep_alive = false;  // the end of the body is the end of the connection
    }
    if (request_.method == "HEAD") {
        request_.keep_alive = false;
        reply.streamer.reset();
    }
    std::string head = render_head(reply, std::nullopt);
    if (!reply.streamer) {
        const std::vector<asio::const_buffer> head_buffer{asio::buffer(head)};
        co_return co_await write_all(wire_, head_buffer);
    }
    request_.headers = std::vector<Header>();  // a stream lasts, and nobody asks for what it began with
    request_.query = {};
    reply.headers = std::vector<Header>();
    buffer_.shrink_to_fit();
    const auto framing = streams_chunked_ ? StreamOutput::Framing::chunked : StreamOutput::Framing::plain;
    StreamOutput output(wire_, framing, std::move(head));
    watch_client([streamer = reply.streamer.get()] { streamer->client_gone(); });
    try {
        co_await reply.streamer->stream(output);
    } catch (const boost::system::system_error& e) {
        if (e.code() == asio::error::operation_aborted) {
            throw;
        }
        spdlog::error("stream_failed id={} error=\"{}\"", request_.id, e.what());
        client_gone_ = true;
    } catch (const std::exception& e) {
        spdlog::error("stream_failed id={} error=\"{}\"", request_.id, e.what());
        client_gone_ = true;  // the answer is not whole: close without the last chunk
    }
    unwatch_client();
    reply.streamer.reset();
    co_return co_await output.finish();
}

// ---- the client's leaving ----

// Once begun, the wait is left to itself when nobody wants to know any more, and serves the next one who does: to begin
// and to cancel one for each request costs system calls.
void Session::watch_client(std::function<void()> callback) {
    if (ended_) {
        close_for_good();
        callback();
        return;
    }
    watch_->callback = std::move(callback);
    if (std::exchange(watch_->waits, true)) {
        return;
    }
    socket_.async_wait(net::TcpSocket::wait_read, [this, watch = watch_](const boost::system::error_code& ec) {
        watch->waits = false;
        if (ec || !watch->callback) {
            return;
        }
        char byte = 0;
        const auto got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (got > 0) {
            return;  // a request pipelined behind this one: the client is there
        }
        client_gone_ = true;
        std::exchange(watch->callback, nullptr)();
    });
}

void Session::unwatch_client() {
    watch_->callback = nullptr;
}

void Session::end_request_of(std::int64_t user_no, std::string_view except) {
    if (request_.caller.carrier == Carrier::none || request_.caller.user_no != user_no || request_.id == except) {
        return;
    }
    close_for_good();
    if (watch_->callback) {
        std::exchange(watch_->callback, nullptr)();
    }
}

bool Session::end_if_silent() {
    boost::system::error_code ec;
    if (!awaits_head_ || buffer_.size() > 0 || socket_.available(ec) > 0) {
        return false;
    }
    awaits_head_ = false;
    socket_.close(ec);
    return true;
}

void Session::end_request_where(const std::function<bool(const Caller&)>& fits) {
    if (request_.caller.carrier == Carrier::none || !fits(request_.caller)) {
        return;
    }
    ended_ = true;
    if (watch_->callback) {
        close_for_good();
        std::exchange(watch_->callback, nullptr)();
    }
}

void Session::close_for_good() {
    client_gone_ = true;
    boost::system::error_code ec;
    socket_.close(ec);
}

Task<void> Session::linger() {
    boost::system::error_code ec;
    deadline_ = lane_ == Lane::narrow ? Deadline::after(kNarrowLingerMax) : Deadline::after(kLingerMax);
    buffer_.consume(buffer_.size());
    while (!ec) {
        co_await socket_.async_wait(asio::socket_base::wait_read, asio::redirect_error(use_task, ec));
        ec = ec ? ec : drop_received(socket_);
    }
}

}  // namespace confab::web
