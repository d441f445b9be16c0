#include "web/body_reader.hpp"

#include <algorithm>

#include <boost/beast/http/read.hpp>

namespace confab::web {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using base::Errc;
using base::fail;
using net::Deadline;
using net::Task;
using net::use_task;

constexpr std::size_t kWholeStepBytes = 16 * 1024;  // of one read of a body that is kept as a whole

}  // namespace

BodyReader::BodyReader(Connection connection, Parser& parser, const Limits& limits)
    : connection_(connection),
      parser_(parser),
      limits_(limits),
      whole_(
          Deadline::after(kBodyGrace + std::chrono::seconds(limits.announced.value_or(limits.bytes_max) / kBodyRateMin))
      ) {}

Task<base::Result<std::string_view>> BodyReader::next() {
    co_return co_await read_some(kBodyPieceBytes);
}

Task<base::Result<std::string_view>> BodyReader::read_some(std::size_t bytes_max) {
    while (!done() && !failed_) {
        piece_.clear();
        if (limits_.announced) {
            co_await read_announced(piece_, bytes_max);
        } else {
            co_await read_chunked(piece_, bytes_max);
        }
        if (!failed_ && !piece_.empty()) {
            co_return std::string_view(piece_);
        }
    }
    piece_ = std::string();  // the answer may take an hour
    if (failed_) {
        co_return std::unexpected(*failed_);
    }
    co_return std::string_view();
}

// A body of known length needs no parser: what was read with the head, then the socket. Appends to `out`.
Task<void> BodyReader::read_announced(std::string& out, std::size_t bytes_max) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(bytes_max, *limits_.announced - bytes_));
    const std::size_t begin = out.size();
    std::size_t got = std::min(most, connection_.buffer.size());
    if (got > 0) {
        out.append(static_cast<const char*>(connection_.buffer.data().data()), got);
        connection_.buffer.consume(got);
    } else {
        out.resize(begin + most);
        connection_.deadline = Deadline::after(kBodyIdleMax).sooner(whole_);
        boost::system::error_code ec;
        got = co_await connection_.socket.async_read_some(
            asio::buffer(out.data() + begin, most), asio::redirect_error(use_task, ec)
        );
        connection_.deadline = Deadline::never();
        out.resize(begin + got);
        if (ec) {
            cut_short();
        }
    }
    count(got);
}

Task<void> BodyReader::read_chunked(std::string& out, std::size_t bytes_max) {
    const std::size_t begin = out.size();
    out.resize(begin + bytes_max);
    auto& body = parser_.get().body();
    body.data = out.data() + begin;
    body.size = bytes_max;
    connection_.deadline = Deadline::after(kBodyIdleMax).sooner(whole_);
    boost::system::error_code ec;
    co_await http::async_read_some(
        connection_.socket, connection_.buffer, parser_, asio::redirect_error(use_task, ec)
    );
    connection_.deadline = Deadline::never();
    const std::size_t got = bytes_max - body.size;
    out.resize(begin + got);
    if (ec && ec != http::error::need_buffer) {
        cut_short();
    }
    count(got);
}

void BodyReader::cut_short() {
    failed_ = fail(Errc::invalid_request, "The request body is malformed or was cut short.", "bad_request").error();
}

void BodyReader::count(std::size_t bytes) {
    bytes_ += bytes;
    connection_.counters.bytes_received.add(bytes);
    if (!failed_ && bytes_ > limits_.bytes_max) {
        failed_ =
            fail(
                Errc::too_large,
                "The request body is larger than the " + std::to_string(limits_.bytes_max) + " bytes allowed here.",
                std::string(limits_.too_large_code)
            )
                .error();
    }
}

Task<base::Status> BodyReader::read_whole(
    std::string& body,
    meter::Lease& lease,
    meter::ByteBudget& budget,
    std::int64_t user_no
) {
    body.clear();
    if (!limits_.has_body) {
        co_return base::Status{};
    }
    CO_TRY(lease, budget.try_lease(limits_.announced.value_or(kBodyPieceBytes), meter::Purpose::bodies, user_no));
    if (limits_.announced) {  // straight into its place
        body.reserve(static_cast<std::size_t>(*limits_.announced));
        while (!done() && !failed_) {
            co_await read_announced(body, kWholeStepBytes);
        }
        if (failed_) {
            co_return std::unexpected(*failed_);
        }
        co_return base::Status{};
    }
    while (true) {
        CO_TRY(const std::string_view piece, co_await read_some(kWholeStepBytes));
        if (piece.empty()) {
            co_return base::Status{};
        }
        if (body.size() + piece.size() > lease.bytes()) {
            CO_TRY_VOID(lease.grow(kBodyPieceBytes));
        }
        body.append(piece);
    }
}

}  // namespace confab::web
