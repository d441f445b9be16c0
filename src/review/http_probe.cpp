#include "review/http_probe.hpp"

#include <charconv>
#include <fstream>

#include <boost/asio/connect.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

namespace confab::review {

namespace {

namespace http = boost::beast::http;
using base::Errc;
using base::Result;
using base::Status;
using net::Task;
using Clock = std::chrono::steady_clock;
using Ec = boost::system::error_code;

constexpr std::size_t kPiece = 64 * 1024;
constexpr std::uint64_t kBodyMax = std::uint64_t{1} << 40;

double ms_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// Finds the first text in a body that comes in pieces.
class TextSearch {
public:
    TextSearch(std::string marker, bool text_follows) : marker_(std::move(marker)), text_follows_(text_follows) {}

    bool found_in(std::string_view piece) {
        if (marker_.empty()) {
            return false;
        }
        tail_ += piece;
        for (auto at = tail_.find(marker_); at != std::string::npos; at = tail_.find(marker_, at + 1)) {
            if (!text_follows_ || is_text(std::string_view(tail_).substr(at + marker_.size()))) {
                return true;
            }
        }
        const std::size_t kept = marker_.size() + kSpacesMax;  // a marker that the next piece may complete
        tail_.erase(0, tail_.size() - std::min(tail_.size(), kept));
        return false;
    }

private:
    static constexpr std::size_t kSpacesMax = 8;

    static bool is_text(std::string_view after) {
        const auto quote = after.find_first_not_of(' ');
        return quote != std::string_view::npos && after.size() > quote + 1 && after[quote] == '"' &&
               after[quote + 1] != '"';
    }

    std::string marker_;
    bool text_follows_;
    std::string tail_;
};

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view url) {
    constexpr std::string_view kScheme = "http://";
    const std::string shown(url);
    if (url.starts_with("https://")) {
        return base::invalid(
            "target", "'" + shown + "' uses TLS. Name the server's own plain HTTP address, behind its proxy."
        );
    }
    if (!url.starts_with(kScheme)) {
        return base::invalid("target", "'" + shown + "' is no address of a server; it looks like http://127.0.0.1:8000.");
    }
    url.remove_prefix(kScheme.size());
    Endpoint endpoint;
    const auto slash = url.find('/');
    std::string_view place = url.substr(0, slash);
    std::string_view path = slash == std::string_view::npos ? "" : url.substr(slash);
    while (path.ends_with('/')) {
        path.remove_suffix(1);
    }
    if (path.ends_with("/v1")) {
        path.remove_suffix(3);
    }
    endpoint.base_path = path;
    const auto bracket = place.rfind(']');
    const auto colon = place.rfind(':');
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
        const std::string_view port = place.substr(colon + 1);
        const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
        if (port.empty() || ec != std::errc{} || end != port.data() + port.size() || endpoint.port == 0) {
            return base::invalid("target", "'" + shown + "' has no port number after the colon.");
        }
        place = place.substr(0, colon);
    }
    if (place.starts_with('[') && place.ends_with(']')) {
        place = place.substr(1, place.size() - 2);
    }
    endpoint.host = place;
    if (place.empty() || shown.find_first_of(" \r\n\t\"") != std::string::npos) {
        return base::invalid("target", "'" + shown + "' is no address of a server; it looks like http://127.0.0.1:8000.");
    }
    return endpoint;
}

// ---- the connection ----

struct HttpProbe::Impl {
    using Parser = http::response_parser<http::buffer_body>;

    net::Executor executor;
    Endpoint endpoint;
    net::TcpSocket socket;
    boost::beast::flat_buffer buffer;
    int opened = 0;

    Impl(net::Executor ex, Endpoint where) : executor(ex), endpoint(std::move(where)), socket(ex) {}

    void close() {
        Ec ec;
        socket.close(ec);
        buffer.clear();
    }

    base::Error failure(const char* what, const Ec& ec, bool late) {
        close();
        if (late) {
            return {Errc::upstream_timeout, std::string(what) + ": no answer in time", "timeout", "", {}};
        }
        return {Errc::upstream_failed, std::string(what) + ": " + ec.message(), "disconnected", "", {}};
    }

    Task<void> connect(Ec& ec) {
        net::asio::ip::basic_resolver<net::asio::ip::tcp, net::Executor> resolver(executor);
        const std::string port = std::to_string(endpoint.port);
        const auto found =
            co_await resolver.async_resolve(endpoint.host, port, net::asio::redirect_error(net::use_task, ec));
        if (!ec) {
            co_await net::asio::async_connect(socket, found, net::asio::redirect_error(net::use_task, ec));
        }
        if (!ec) {
            Ec ignored;
            socket.set_option(net::asio::ip::tcp::no_delay(true), ignored);
            ++opened;
        }
    }

    std::string render_head(const Ask& request, std::uint64_t body_bytes) const {
        std::string head = request.method + " " + endpoint.base_path + request.target + " HTTP/1.1\r\nHost: ";
        head += endpoint.host.find(':') == std::string::npos ? endpoint.host : "[" + endpoint.host + "]";
        head += ":" + std::to_string(endpoint.port) + "\r\n";
        for (const std::string& header : request.headers) {
            head += header + "\r\n";
        }
        if (request.method != "GET") {
            head += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body_bytes) + "\r\n";
        }
        return head + "\r\n";
    }

    Task<void> write(const std::string& bytes, Ec& ec) {
        co_await net::asio::async_write(
            socket, net::asio::buffer(bytes), net::asio::redirect_error(net::use_task, ec)
        );
    }

    Task<void> send(const Ask& request, Ec& ec) {
        std::uint64_t bytes = request.body.size();
        std::ifstream file;
        if (!request.body_path.empty()) {
            file.open(request.body_path, std::ios::binary | std::ios::ate);
            bytes = static_cast<std::uint64_t>(std::max<std::streamoff>(file.tellg(), 0));
            file.seekg(0);
        }
        const std::string head = render_head(request, bytes) + request.body;
        co_await write(head, ec);
        std::string piece(kPiece, '\0');
        while (!ec && file.is_open() && (file.read(piece.data(), kPiece), file.gcount() > 0)) {
            piece.resize(static_cast<std::size_t>(file.gcount()));
            co_await write(piece, ec);
            piece.resize(kPiece);
        }
    }

    // One piece of the body; 0 bytes at its end.
    Task<std::string_view> read_piece(Parser& parser, std::vector<char>& space, Ec& ec) {
        if (parser.is_done()) {
            co_return std::string_view();
        }
        auto& body = parser.get().body();
        body.data = space.data();
        body.size = space.size();
        co_await http::async_read_some(socket, buffer, parser, net::asio::redirect_error(net::use_task, ec));
        if (ec == http::error::need_buffer) {
            ec = {};
        }
        co_return std::string_view(space.data(), space.size() - body.size);
    }

    // `until_text`: returns as soon as the marker has come.
    Task<void> receive(const Ask& request, Heard& heard, bool until_text, Ec& ec) {
        const auto begin = Clock::now();
        Parser parser;
        parser.body_limit(kBodyMax);
        co_await http::async_read_header(socket, buffer, parser, net::asio::redirect_error(net::use_task, ec));
        if (ec) {
            co_return;
        }
        heard.status = parser.get().result_int();
        heard.retry_after = parser.get().find(http::field::retry_after) != parser.get().end();
        TextSearch text(request.text_marker, request.text_follows);
        std::ofstream saved;
        if (!request.save_path.empty()) {
            saved.open(request.save_path, std::ios::binary);
        }
        std::vector<char> space(kPiece);
        while (!parser.is_done() && !ec) {
            const std::string_view piece = co_await read_piece(parser, space, ec);
            heard.bytes += piece.size();
            heard.body += piece.substr(0, request.keep_bytes - std::min(request.keep_bytes, heard.body.size()));
            saved << piece;
            if (heard.first_text_ms == 0 && text.found_in(piece)) {
                heard.first_text_ms = ms_since(begin);
                if (until_text) {
                    co_return;
                }
            }
        }
        heard.whole_ms = ms_since(begin);
        if (!parser.keep_alive()) {
            close();
        }
    }
};

namespace {

// Closes the socket when the time is over, so that whoever waits for it gets an error.
class Alarm {
public:
    Alarm(net::Executor executor, net::TcpSocket& socket, std::chrono::seconds patience)
        : timer_(executor, patience), state_(std::make_shared<State>(State{&socket, false})) {
        timer_.async_wait([state = state_](const Ec& ec) {
            if (!ec && state->socket != nullptr) {
                Ec ignored;
                state->rang = true;
                state->socket->close(ignored);
            }
        });
    }

    Alarm(const Alarm&) = delete;
    Alarm& operator=(const Alarm&) = delete;

    ~Alarm() { state_->socket = nullptr; }

    bool rang() const { return state_->rang; }

private:
    struct State {
        net::TcpSocket* socket;
        bool rang;
    };

    net::Timer timer_;
    std::shared_ptr<State> state_;
};

}  // namespace

HttpProbe::HttpProbe(net::Executor executor, Endpoint endpoint)
    : impl_(std::make_unique<Impl>(executor, std::move(endpoint))) {}

HttpProbe::~HttpProbe() = default;
HttpProbe::HttpProbe(HttpProbe&&) noexcept = default;

void HttpProbe::close() {
    impl_->close();
}

int HttpProbe::connections_opened() const {
    return impl_->opened;
}

Task<Status> HttpProbe::send_only(Ask request, std::chrono::seconds patience) {
    Ec ec;
    Alarm alarm(impl_->executor, impl_->socket, patience);
    if (!impl_->socket.is_open()) {
        co_await impl_->connect(ec);
    }
    if (!ec) {
        co_await impl_->send(request, ec);
    }
    if (ec) {
        co_return std::unexpected(impl_->failure("sending", ec, alarm.rang()));
    }
    co_return Status();
}

Task<Result<Heard>> HttpProbe::ask(Ask request, std::chrono::seconds patience) {
    const auto begin = Clock::now();
    CO_TRY_VOID(co_await send_only(request, patience));
    Ec ec;
    Heard heard;
    const double sent_ms = ms_since(begin);
    Alarm alarm(impl_->executor, impl_->socket, patience);
    co_await impl_->receive(request, heard, false, ec);
    if (ec) {
        co_return std::unexpected(impl_->failure("receiving", ec, alarm.rang()));
    }
    heard.first_text_ms += heard.first_text_ms > 0 ? sent_ms : 0;
    heard.whole_ms += sent_ms;
    co_return heard;
}

Task<Result<Heard>> HttpProbe::ask_for_first_text(Ask request, std::chrono::seconds patience) {
    CO_TRY_VOID(co_await send_only(request, patience));
    Ec ec;
    Heard heard;
    Alarm alarm(impl_->executor, impl_->socket, patience);
    co_await impl_->receive(request, heard, true, ec);
    if (ec) {
        co_return std::unexpected(impl_->failure("receiving", ec, alarm.rang()));
    }
    co_return heard;
}

}  // namespace confab::review
