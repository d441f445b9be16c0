// HttpProbe: one client connection as a visitor's browser has it, kept between requests, that notes when what came.
//
// One thread. Plain HTTP only: the reviewed server is on this machine, as a rule. It can also stop reading in the
// middle of an answer, which no ordinary client offers and slow viewers do.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "net/task.hpp"

namespace confab::review {

struct Endpoint {
    std::string host = "127.0.0.1";  // an address or a name
    std::uint16_t port = 80;
    std::string base_path;  // before every target: "" or "/something"
};

// "http://HOST[:PORT][/PATH]"; a /v1 at the end is dropped. `invalid_request` for anything else.
base::Result<Endpoint> parse_endpoint(std::string_view url);

struct Ask {
    std::string method = "GET";
    std::string target;
    std::vector<std::string> headers;  // "Name: value"
    std::string body;
    std::string body_path;    // instead of `body`: a file that is sent in pieces
    std::string text_marker;  // when these bytes first occur in the answer's body, its first text has come
    bool text_follows = false;  // only when behind them, after spaces, a JSON string stands that is not empty
    std::size_t keep_bytes = 4'096;  // of the body
    std::string save_path;           // where the whole body goes; empty: nowhere
};

struct Heard {
    unsigned status = 0;
    bool retry_after = false;  // the header was there
    std::uint64_t bytes = 0;   // of the body
    double first_text_ms = 0;  // 0: the marker never came
    double whole_ms = 0;
    std::string body;  // its beginning

    bool ok() const { return status >= 200 && status < 300; }
};

class HttpProbe {
public:
    HttpProbe(net::Executor executor, Endpoint endpoint);
    ~HttpProbe();
    HttpProbe(HttpProbe&&) noexcept;

    // Sends and reads the whole answer. Errors: `upstream_failed` when the connection cannot be made or breaks,
    // `upstream_timeout` after `patience`. The connection is opened when there is none.
    net::Task<base::Result<Heard>> ask(Ask request, std::chrono::seconds patience);

    // Sends, and reads nothing of the answer; close() or drop() end that.
    net::Task<base::Status> send_only(Ask request, std::chrono::seconds patience);

    // Sends and reads until the first text has come, then stops reading.
    net::Task<base::Result<Heard>> ask_for_first_text(Ask request, std::chrono::seconds patience);

    // Closes as a browser does that leaves: what was not read yet makes it a reset.
    void close();

    // Connections that were opened so far.
    int connections_opened() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace confab::review
