// HttpClient: the one HTTP client of a shard, made once and kept for as long as the server runs.
//
// Two engines with one connection pool each serve the shard's requests. libcurl has TLS, HTTP/2 where TLS offers it,
// and proxies from the environment (http_proxy, https_proxy, no_proxy); it appears only in http_client.cpp,
// curl_handles.cpp and http_failure.cpp. What goes to an http:// address without a proxy is carried by PlainHttp.
//
// All sockets sit in an epoll set of their own, which Asio watches as a single descriptor: one wake-up serves every
// socket that is ready, and no per-read re-arming is needed.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "base/error.hpp"
#include "net/body_source.hpp"
#include "net/deadline.hpp"
#include "net/shard.hpp"
#include "net/task.hpp"
#include "net/waker.hpp"

namespace confab::net {

struct HttpRequest {
    std::string method = "GET";        // a body is sent with POST
    std::string url;                   // http or https
    std::vector<std::string> headers;  // "Name: value"
    BodySource body;
    Deadline deadline = Deadline::never();                 // of the whole exchange
    std::chrono::seconds first_byte_max{600};              // prompt processing may take minutes
    std::chrono::seconds idle_max{180};                    // between two reads once the answer has begun
    std::uint64_t body_bytes_max = 1024ULL * 1024 * 1024;  // libcurl itself does not bound an answer
};

struct HttpHead {
    unsigned status = 0;
    std::string content_type;
    std::string retry_after;
};

enum class Flow : std::uint8_t {
    go_on,
    pause,   // these bytes were not taken; they come again after HttpCall::resume()
    finish,  // the answer is complete for the caller: send() returns now; the rest is drained so that the connection
             // can be reused
};

// Receives an answer as it arrives, on the shard's thread, inside libcurl: it must not destroy the call.
class HttpSink {
public:
    virtual ~HttpSink() = default;
    virtual void on_head(const HttpHead& head) = 0;  // once, before the first on_body
    virtual Flow on_body(std::string_view bytes) = 0;

    // What one read brought was handed over, in however many pieces: the moment to pass it on.
    virtual void on_read_end() {}
};

struct HttpClientCounters {
    std::uint64_t requests = 0;
    std::uint64_t connections_opened = 0;
    std::uint64_t connections_reused = 0;  // requests served by a connection from the pool
    std::uint64_t bytes_received = 0;
    std::uint64_t requests_live = 0;
    std::uint64_t connections_live = 0;  // open sockets, idle ones too
};

struct HttpTransfer;

class HttpClient {
public:
    explicit HttpClient(Shard& shard);
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;
    ~HttpClient();

    // To be read on the shard's thread.
    HttpClientCounters counters() const;

    struct Impl;

private:
    friend class HttpCall;
    std::unique_ptr<Impl> impl_;
};

// One exchange. Lives on the client's shard and must not outlive the client. Destroying it closes its connection at
// once, unless the answer was read to its end.
class HttpCall {
public:
    HttpCall(HttpClient& client, HttpRequest request, HttpSink& sink);
    HttpCall(const HttpCall&) = delete;
    HttpCall& operator=(const HttpCall&) = delete;
    ~HttpCall();

    // Sends and receives everything. Returns the head when the answer ended or the sink said `finish`; any status is a
    // success here, except a redirect: it is not followed, and the sink does not see it. Errors: upstream_failed (codes
    // upstream_unreachable, upstream_tls, upstream_disconnected, upstream_too_large, upstream_redirect,
    // upstream_bad_url), upstream_timeout, cancelled; what a part of the body failed with.
    Task<base::Result<HttpHead>> send();

    // Ends the exchange: the socket is closed before this returns, send() answers `cancelled`. May be called at any
    // time outside the sink, also before send().
    void cancel();

    // Goes on after Flow::pause.
    void resume();

    // When the request was on a connection, new or kept; nothing when it never was.
    std::optional<Deadline::Clock::time_point> connected_at() const;

    // The request as it was sent, for another try; after send() has returned, unless the sink said `finish`.
    HttpRequest take_request();

private:
    std::unique_ptr<HttpTransfer> transfer_;
};

}  // namespace confab::net
