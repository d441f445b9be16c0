// HttpTransfer: one exchange with an HTTP server, as both engines of the HTTP client see it.
//
// Owned by its HttpCall, or by the client while it drains. At any time at most one engine carries it: libcurl
// (`curl` is set) or PlainHttp (`connection` is set).
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "net/body_feed.hpp"
#include "net/http_client.hpp"

using CURL = void;  // as in curl.h, which few files include: see http_client.hpp
struct curl_slist;

namespace confab::net {

class PlainConnection;

struct HttpTransfer {
    HttpTransfer(HttpClient::Impl& impl, Executor executor) : client(&impl), ended(executor) {}

    HttpClient::Impl* client;
    HttpRequest request;
    HttpSink* sink = nullptr;  // null while draining
    HttpHead head;
    std::string location;  // of a redirect
    bool head_delivered = false;
    bool over = false;  // `error` and `head` are final
    bool drains = false;
    bool paused = false;
    std::optional<base::Error> error;
    Waker ended;
    Deadline patience = Deadline::never();  // of the next byte
    Deadline::Clock::time_point begun_at;
    std::optional<Deadline::Clock::time_point> connected_at;
    std::uint64_t body_bytes = 0;
    std::uint64_t drained_bytes = 0;

    // libcurl's share.
    struct Curl {
        CURL* handle = nullptr;
        curl_slist* headers = nullptr;
        bool only_connects = false;      // PlainHttp takes the connection over
        std::string origin;              // of a connection only
        std::unique_ptr<BodyFeed> feed;  // of a body that is more than a text
        std::array<char, 256> detail{};
    };

    std::unique_ptr<Curl> curl;
    PlainConnection* connection = nullptr;

    void finish(std::optional<base::Error> result) {
        if (!over) {
            over = true;
            error = std::move(result);
            ended.notify();
        }
    }

    // Hands the head to the sink, once.
    void deliver_head(unsigned status);
    // Hands a piece of the body to the sink and keeps count, time and the size limit. `pause`: the piece was not taken.
    // Nothing: the answer is too large, and the transfer has failed.
    std::optional<Flow> deliver_body(std::string_view bytes);
};

}  // namespace confab::net
