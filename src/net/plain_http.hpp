// PlainHttp: HTTP/1.1 over plain TCP, for model servers beside us (http://...), which most are.
//
// libcurl finds and connects (names, address families, timeouts); from then on a connection is ours, because a token
// then costs one read and no more: libcurl asks poll() before each read and keeps 12 KiB for each transfer. TLS, HTTP/2
// and proxies stay with libcurl.
//
// Connections are kept and reused. One that was closed by the server while it was idle shows that before a single byte
// of an answer; then the request is given back to be sent on another one.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/http_transfer.hpp"

namespace confab::net {

inline constexpr std::size_t kIdleConnectionsMax = 1024;       // of a shard, of all servers together
inline constexpr std::chrono::seconds kIdleConnectionMax{90};  // then it is closed; servers do so after 60 to 120 s
// What a rush has left behind goes sooner: beyond so many idle connections to one server they are closed after this time.
inline constexpr std::size_t kIdleConnectionsKept = 16;
inline constexpr std::chrono::seconds kSurplusConnectionMax{10};

// An http:// URL in its parts. Nothing for https, user names and whatever else libcurl should judge.
struct PlainUrl {
    std::string origin;  // host:port, the name under which a connection is kept
    std::string host;    // of the Host header
    std::string target;  // path and query
};

std::optional<PlainUrl> parse_plain_url(std::string_view url);

// Requests to http:// addresses are to go through a proxy.
bool proxy_in_environment();

class PlainHttp {
public:
    // What the owner of the transfers has to know.
    class Owner {
    public:
        virtual ~Owner() = default;
        // The exchange is over; the transfer has no connection any more.
        virtual void plain_ended(HttpTransfer& transfer, std::optional<base::Error> error) = 0;
        // The kept connection turned out to be dead before the answer began: to be sent again.
        virtual void plain_lost(HttpTransfer& transfer) = 0;
    };

    PlainHttp(Executor executor, int epoll_fd, Owner& owner);
    PlainHttp(const PlainHttp&) = delete;
    PlainHttp& operator=(const PlainHttp&) = delete;
    ~PlainHttp();

    // Sends on a kept connection; false when there is none.
    bool begin_on_kept(HttpTransfer& transfer, const PlainUrl& url);
    // Takes over a connected socket and sends on it.
    void begin(HttpTransfer& transfer, const PlainUrl& url, int socket);
    // Takes the transfer from its connection, which is closed.
    void drop(HttpTransfer& transfer);
    // Goes on after a pause.
    void resume(HttpTransfer& transfer);

    std::size_t connections() const { return connection_count_; }

    // False: the socket is not one of these.
    bool on_ready(int fd, std::uint32_t events);
    // Those that have been idle for longer than they may be.
    void close_idle(std::chrono::steady_clock::time_point now);

private:
    friend class PlainConnection;

    void watch(PlainConnection& connection, std::uint32_t events);
    void watch_again(PlainConnection& connection);
    void control(PlainConnection& connection, std::uint32_t events);
    void start(HttpTransfer& transfer, const PlainUrl& url, PlainConnection& connection);
    void send_more(PlainConnection& connection);
    void send_text(PlainConnection& connection);
    void send_pieces(PlainConnection& connection);
    bool push(PlainConnection& connection, std::string_view first, std::string_view second);
    PlainConnection* find(int fd) const;
    void read(int fd, bool to_the_end);
    void receive(PlainConnection& connection, std::string_view bytes);
    void end(PlainConnection& connection, bool closed);
    void take(PlainConnection& connection, std::string_view bytes);
    void fail(PlainConnection& connection, std::string message);
    void complete(PlainConnection& connection);
    void keep(PlainConnection& connection);
    void close(PlainConnection& connection);

    Executor executor_;
    int epoll_fd_;
    Owner& owner_;
    std::vector<std::unique_ptr<PlainConnection>> connections_;            // by socket, so that a token finds its own at once
    std::unordered_map<std::string, std::vector<PlainConnection*>> idle_;  // by origin, the last used at the end
    std::size_t connection_count_ = 0;
    std::size_t idle_count_ = 0;
    std::string read_buffer_;
};

}  // namespace confab::net
