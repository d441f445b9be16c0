// BodyReader: the body of one request as it arrives, piece by piece, within its limits and deadlines.
//
// Lives as long as its request is being served. What it has not read when the handler is done closes the connection
// (Session), so that unread bytes are never taken for the next request.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "base/error.hpp"
#include "meter/byte_budget.hpp"
#include "meter/counters.hpp"
#include "net/deadline.hpp"
#include "net/task.hpp"

namespace confab::web {

inline constexpr std::chrono::seconds kBodyIdleMax{20};  // between two reads of a body
inline constexpr std::chrono::seconds kBodyGrace{30};  // of a whole body, besides what its size needs at the least rate
inline constexpr std::uint64_t kBodyRateMin = 64 * 1024;   // bytes per second; slower senders are dropped
inline constexpr std::size_t kBodyPieceBytes = 64 * 1024;  // a body is leased as it arrives, in steps of this size

class BodyReader {
public:
    using Parser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;

    // What the reader uses of its session.
    struct Connection {
        net::TcpSocket& socket;
        boost::beast::flat_buffer& buffer;
        net::Deadline& deadline;  // of the read under way; whoever enforces it closes the socket
        meter::HttpCounters& counters;
    };

    struct Limits {
        bool has_body = false;
        std::optional<std::uint64_t> announced;  // content-length; absent when chunked
        std::uint64_t bytes_max = 0;
        std::string_view too_large_code;  // of the error for more
    };

    // `parser` has read the head.
    BodyReader(Connection connection, Parser& parser, const Limits& limits);

    // The next bytes, at most kBodyPieceBytes, valid until the next call; empty when the body has ended. Errors, which
    // stay: invalid_request (malformed or cut short), too_large. Time that the caller takes between two calls counts
    // only towards the whole.
    net::Task<base::Result<std::string_view>> next();

    // The whole body of a request of `user_no`; its bytes are leased before they are kept: all at once when their number
    // is announced, else 64 KiB at a time. Further errors: those of ByteBudget::try_lease.
    net::Task<base::Status> read_whole(
        std::string& body,
        meter::Lease& lease,
        meter::ByteBudget& budget,
        std::int64_t user_no
    );

    // Nothing of the body is left on the connection.
    bool done() const {
        const bool all = limits_.announced ? bytes_ == *limits_.announced : parser_.is_done();
        return !limits_.has_body || (all && !failed_);
    }

private:
    net::Task<base::Result<std::string_view>> read_some(std::size_t bytes_max);
    net::Task<void> read_announced(std::string& out, std::size_t bytes_max);
    net::Task<void> read_chunked(std::string& out, std::size_t bytes_max);
    void cut_short();
    void count(std::size_t bytes);

    Connection connection_;
    Parser& parser_;
    Limits limits_;
    net::Deadline whole_;
    std::string piece_;
    std::uint64_t bytes_ = 0;
    std::optional<base::Error> failed_;
};

}  // namespace confab::web
