#include "net/plain_http.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.hpp"
#include "net/http_answer_parser.hpp"
#include "net/http_failure.hpp"

namespace confab::net {

namespace {

constexpr std::size_t kReadBytes = 32 * 1024;  // one buffer for all connections of a shard
constexpr std::size_t kSendPieceBytes = 16 * 1024;
constexpr int kReadsAtOnce = 4;  // then the other sockets have their turn
// Changes are reported, not states: the kernel need not look at a socket again after each read.
constexpr std::uint32_t kIncoming = EPOLLIN | EPOLLRDHUP | EPOLLET;

std::string render_head(const HttpRequest& request, const PlainUrl& url) {
    std::string head =
        request.method + ' ' + url.target + " HTTP/1.1\r\nHost: " + url.host + "\r\nUser-Agent: Confab\r\n";
    for (const std::string& header : request.headers) {
        CONFAB_ASSERT(header.find_first_of("\r\n") == std::string::npos);
        head += header + "\r\n";
    }
    if (request.method == "POST") {
        head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    }
    return head + "\r\n";
}

bool is_port(std::string_view text) {
    return !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

// As libcurl understands it: the upper-case form of http_proxy is ignored, for CGI's sake.
bool proxy_in_environment() {
    return std::ranges::any_of(std::array{"http_proxy", "all_proxy", "ALL_PROXY"}, [](const char* name) {
        const char* value = std::getenv(name);
        return value != nullptr && *value != '\0';
    });
}

std::optional<PlainUrl> parse_plain_url(std::string_view url) {
    constexpr std::string_view kScheme = "http://";
    if (!url.starts_with(kScheme) || url.find_first_of(" \t\r\n#") != std::string_view::npos) {
        return std::nullopt;
    }
    url.remove_prefix(kScheme.size());
    const std::size_t path = url.find_first_of("/?");
    const std::string_view authority = url.substr(0, path);
    if (authority.empty() || authority.find('@') != std::string_view::npos) {
        return std::nullopt;
    }
    const std::size_t colon = authority.rfind(':');
    const bool has_port = colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
    if (has_port && (colon == 0 || !is_port(authority.substr(colon + 1)))) {
        return std::nullopt;
    }
    PlainUrl parts;
    parts.host = authority;
    parts.origin = has_port ? parts.host : parts.host + ":80";
    parts.target = path == std::string_view::npos ? std::string_view() : url.substr(path);
    if (!parts.target.starts_with('/')) {
        parts.target.insert(0, 1, '/');
    }
    return parts;
}

class PlainConnection {
public:
    PlainConnection(int socket, std::string origin_name) : fd(socket), origin(std::move(origin_name)) {}

    PlainConnection(const PlainConnection&) = delete;
    PlainConnection& operator=(const PlainConnection&) = delete;

    ~PlainConnection() { ::close(fd); }

    int fd;
    std::string origin;
    HttpTransfer* transfer = nullptr;  // null while idle
    std::optional<HttpAnswerParser> parser;
    std::string head;                // of the request
    std::size_t sent = 0;            // bytes of head and text, or of `piece`
    std::unique_ptr<BodyFeed> feed;  // of a body that is more than a text
    std::string piece;               // of what the feed gave
    bool sent_all = false;
    std::string held;  // arrived, but not parsed yet: half a line, or the rest after a pause
    bool reused = false;
    std::uint32_t watched = 0;
    std::chrono::steady_clock::time_point idle_since{};
};

PlainHttp::PlainHttp(Executor executor, int epoll_fd, Owner& owner)
    : executor_(executor), epoll_fd_(epoll_fd), owner_(owner), read_buffer_(kReadBytes, '\0') {}

PlainHttp::~PlainHttp() = default;

// ---- sending ----

bool PlainHttp::begin_on_kept(HttpTransfer& transfer, const PlainUrl& url) {
    const auto entry = idle_.find(url.origin);
    if (entry == idle_.end()) {
        return false;
    }
    PlainConnection& connection = *entry->second.back();
    entry->second.pop_back();
    --idle_count_;
    if (entry->second.empty()) {
        idle_.erase(entry);
    }
    connection.reused = true;
    start(transfer, url, connection);
    return true;
}

void PlainHttp::begin(HttpTransfer& transfer, const PlainUrl& url, int socket) {
    auto owned = std::make_unique<PlainConnection>(socket, url.origin);
    PlainConnection& connection = *owned;
    const auto place = static_cast<std::size_t>(socket);
    if (place >= connections_.size()) {
        connections_.resize(place + 1);
    }
    CONFAB_ASSERT(!connections_[place]);
    connections_[place] = std::move(owned);
    ++connection_count_;
    start(transfer, url, connection);
}

void PlainHttp::start(HttpTransfer& transfer, const PlainUrl& url, PlainConnection& connection) {
    connection.transfer = &transfer;
    transfer.connection = &connection;
    connection.parser.emplace(transfer);
    connection.head = render_head(transfer.request, url);
    connection.sent = 0;
    connection.sent_all = false;
    if (!transfer.request.body.insertions.empty()) {
        connection.feed = std::make_unique<BodyFeed>(transfer.request.body, executor_, [this, &connection] {
            send_more(connection);
        });
    }
    send_more(connection);
}

void PlainHttp::send_more(PlainConnection& connection) {
    if (connection.feed) {
        send_pieces(connection);
    } else {
        send_text(connection);
    }
}

// True when all was taken. An error is not looked at here: the server may have answered before it closed, so reading
// tells.
bool PlainHttp::push(PlainConnection& connection, std::string_view first, std::string_view second) {
    const std::size_t whole = first.size() + second.size();
    while (connection.sent < whole) {
        const std::string_view head = first.substr(std::min(connection.sent, first.size()));
        const std::string_view body = second.substr(connection.sent - (first.size() - head.size()));
        iovec parts[2] = {
            {const_cast<char*>(head.data()), head.size()},
            {const_cast<char*>(body.data()), body.size()},
        };
        msghdr message{};
        message.msg_iov = parts;
        message.msg_iovlen = 2;
        const auto written = ::sendmsg(connection.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            const bool full = errno == EAGAIN || errno == EWOULDBLOCK;
            watch(connection, full ? kIncoming | EPOLLOUT : kIncoming);
            return false;
        }
        connection.sent += static_cast<std::size_t>(written);
    }
    return true;
}

void PlainHttp::send_text(PlainConnection& connection) {
    if (push(connection, connection.head, connection.transfer->request.body.text)) {
        connection.head = std::string();
        connection.sent_all = true;
        watch(connection, kIncoming);
    }
}

void PlainHttp::send_pieces(PlainConnection& connection) {
    while (push(connection, connection.head, connection.piece)) {
        connection.head = std::string();
        connection.sent = 0;
        connection.piece.resize(kSendPieceBytes);
        const BodyFeed::Taken taken = connection.feed->read(connection.piece.data(), connection.piece.size());
        connection.piece.resize(taken.count);
        switch (taken.state) {
            case BodyFeed::State::bytes: break;
            case BodyFeed::State::wait: watch(connection, kIncoming); return;
            case BodyFeed::State::failed: {
                HttpTransfer& transfer = *connection.transfer;
                auto error = connection.feed->error();
                close(connection);
                owner_.plain_ended(transfer, std::move(error));
                return;
            }
            case BodyFeed::State::end:
                connection.feed.reset();
                connection.piece = std::string();
                connection.sent_all = true;
                watch(connection, kIncoming);
                return;
        }
    }
}

// ---- receiving ----

PlainConnection* PlainHttp::find(int fd) const {
    const auto place = static_cast<std::size_t>(fd);
    return place < connections_.size() ? connections_[place].get() : nullptr;
}

bool PlainHttp::on_ready(int fd, std::uint32_t events) {
    PlainConnection* connection = find(fd);
    if (connection == nullptr) {
        return false;
    }
    if (connection->watched == 0) {
        return true;  // paused since the kernel said so
    }
    if (connection->transfer == nullptr) {
        close(*connection);  // idle: whatever a server has to say now, it is not an answer
        return true;
    }
    if ((events & EPOLLOUT) != 0) {
        send_more(*connection);
        if (find(fd) == nullptr) {
            return true;  // its body could not be read
        }
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        read(fd, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
    }
    return true;
}

// A read that does not fill the buffer has emptied the socket; what comes later is a new change. Only an end that was there
// already (`to_the_end`) has to be read as well.
void PlainHttp::read(int fd, bool to_the_end) {
    for (int i = 0;; ++i) {
        PlainConnection& connection = *find(fd);
        if (i == kReadsAtOnce) {
            watch_again(connection);
            return;
        }
        const auto got = ::recv(fd, read_buffer_.data(), read_buffer_.size(), MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return;
        }
        if (got <= 0) {
            end(connection, got == 0);
            return;
        }
        receive(connection, std::string_view(read_buffer_.data(), static_cast<std::size_t>(got)));
        const bool emptied = static_cast<std::size_t>(got) < read_buffer_.size() && !to_the_end;
        if (emptied || find(fd) != &connection || connection.watched == 0) {
            return;
        }
        if (connection.transfer == nullptr) {
            close(connection);  // not to be kept: there is more than its answer, or its end
            return;
        }
    }
}

void PlainHttp::receive(PlainConnection& connection, std::string_view bytes) {
    if (connection.held.empty()) {
        take(connection, bytes);
        return;
    }
    connection.held += bytes;
    const std::string joined = std::exchange(connection.held, std::string());
    take(connection, joined);
}

// The server closed, or the connection broke.
void PlainHttp::end(PlainConnection& connection, bool closed) {
    if (closed && connection.parser->end_of_stream()) {
        complete(connection);
    } else if (!connection.parser->began() && connection.reused) {
        HttpTransfer& transfer = *connection.transfer;
        close(connection);
        owner_.plain_lost(transfer);
    } else {
        fail(
            connection,
            connection.parser->began() ? "it ended in the middle of the answer" : "it closed without an answer"
        );
    }
}

void PlainHttp::take(PlainConnection& connection, std::string_view bytes) {
    boost::beast::error_code ec;
    HttpAnswerParser* parser = &*connection.parser;
    std::size_t used = 0;
    do {
        used = parser->feed(bytes, ec);
        bytes.remove_prefix(used);
        if (parser->interim_done()) {
            connection.parser.emplace(*connection.transfer);
            parser = &*connection.parser;
        }
    } while (used > 0 && !ec && !bytes.empty() && !parser->done() && !parser->paused());
    HttpTransfer& transfer = *connection.transfer;
    if (transfer.body_bytes > 0 && transfer.head.status < 300 && connection.sent_all && transfer.request.body.size() > 0) {
        transfer.request.body = BodySource();  // an answer that has begun is not asked for again
    }
    if (transfer.sink != nullptr) {
        transfer.sink->on_read_end();
    }
    if (ec) {
        fail(connection, "what it sends is not HTTP");
    } else if (parser->done()) {
        connection.held = bytes;
        complete(connection);
    } else {
        connection.held = bytes;
        if (parser->paused()) {
            watch(connection, 0);
        }
    }
}

void PlainHttp::resume(HttpTransfer& transfer) {
    PlainConnection& connection = *transfer.connection;
    connection.parser->resume();
    watch(connection, kIncoming);
    const std::string held = std::exchange(connection.held, std::string());
    take(connection, held);
}

// ---- the end of an exchange ----

void PlainHttp::fail(PlainConnection& connection, std::string message) {
    HttpTransfer& transfer = *connection.transfer;
    close(connection);
    owner_.plain_ended(
        transfer,
        http_failure(
            base::Errc::upstream_failed,
            "upstream_disconnected",
            "The connection to the model server broke: " + std::move(message) + "."
        )
    );
}

void PlainHttp::complete(PlainConnection& connection) {
    HttpTransfer& transfer = *connection.transfer;
    // What follows the answer unasked, or a request that was not taken whole, would be mistaken for the next answer's.
    const bool whole = connection.held.empty() && connection.sent_all;
    if (whole && connection.parser->reusable() && idle_count_ < kIdleConnectionsMax) {
        keep(connection);
    } else {
        close(connection);
    }
    owner_.plain_ended(transfer, std::nullopt);
}

void PlainHttp::keep(PlainConnection& connection) {
    connection.transfer->connection = nullptr;
    connection.transfer = nullptr;
    connection.parser.reset();
    connection.head = {};
    connection.piece = {};
    connection.held = {};
    connection.idle_since = std::chrono::steady_clock::now();
    watch(connection, kIncoming);
    idle_[connection.origin].push_back(&connection);
    ++idle_count_;
}

void PlainHttp::drop(HttpTransfer& transfer) {
    close(*transfer.connection);
}

void PlainHttp::close(PlainConnection& connection) {
    if (connection.transfer != nullptr) {
        connection.transfer->connection = nullptr;
    } else {
        const auto entry = idle_.find(connection.origin);
        std::erase(entry->second, &connection);
        --idle_count_;
        if (entry->second.empty()) {
            idle_.erase(entry);
        }
    }
    watch(connection, 0);
    --connection_count_;
    connections_[static_cast<std::size_t>(connection.fd)].reset();
}

void PlainHttp::close_idle(std::chrono::steady_clock::time_point now) {
    std::vector<PlainConnection*> old;
    for (const auto& [origin, connections] : idle_) {
        std::size_t left = connections.size();
        for (PlainConnection* connection : connections) {  // the longest idle first
            const auto most = left > kIdleConnectionsKept ? kSurplusConnectionMax : kIdleConnectionMax;
            if (now - connection->idle_since < most) {
                break;
            }
            old.push_back(connection);
            --left;
        }
    }
    for (PlainConnection* connection : old) {
        close(*connection);
    }
}

void PlainHttp::watch(PlainConnection& connection, std::uint32_t events) {
    if (connection.watched != events) {
        control(connection, events);
    }
}

// What is there already counts as a change once more.
void PlainHttp::watch_again(PlainConnection& connection) {
    control(connection, connection.watched);
}

void PlainHttp::control(PlainConnection& connection, std::uint32_t events) {
    epoll_event event{};
    event.data.fd = connection.fd;
    event.events = events;
    const int operation = events == 0 ? EPOLL_CTL_DEL : connection.watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    connection.watched = events;
    const int result = ::epoll_ctl(epoll_fd_, operation, connection.fd, &event);
    CONFAB_ASSERT(result == 0);
}

}  // namespace confab::net
