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
        piece_.resize(bytes_max);
        auto& body = parser_.get().body();
        body.data = piece_.data();
        body.size = piece_.size();
        connection_.deadline = Deadline::after(kBodyIdleMax).sooner(whole_);
        boost::system::error_code ec;
        co_await http::async_read_some(
            connection_.socket, connection_.buffer, parser_, asio::redirect_error(use_task, ec)
        );
        connection_.deadline = Deadline::never();
        const std::size_t got = piece_.size() - body.size;
        bytes_ += got;
        connection_.counters.bytes_received.add(got);
        if (ec && ec != http::error::need_buffer) {
            failed_ =
                fail(Errc::invalid_request, "The request body is malformed or was cut short.", "bad_request").error();
        } else if (bytes_ > limits_.bytes_max) {
            failed_ =
                fail(
                    Errc::too_large,
                    "The request body is larger than the " + std::to_string(limits_.bytes_max) + " bytes allowed here.",
                    std::string(limits_.too_large_code)
                )
                    .error();
        } else if (got > 0) {
            co_return std::string_view(piece_.data(), got);
        }
    }
    piece_ = std::vector<char>();  // the answer may take an hour
    if (failed_) {
        co_return std::unexpected(*failed_);
    }
    co_return std::string_view();
}

Task<base::Status> BodyReader::read_whole(std::string& body, meter::Lease& lease, meter::ByteBudget& budget) {
    body.clear();
    if (!limits_.has_body) {
        co_return base::Status{};
    }
    const auto overloaded = fail(Errc::unavailable, "The server is short of memory. Try again shortly.", "overloaded");
    auto first =
        budget.try_lease(std::min<std::uint64_t>(limits_.announced.value_or(limits_.bytes_max), kBodyPieceBytes));
    if (!first) {
        co_return overloaded;
    }
    lease = std::move(*first);
    while (true) {
        CO_TRY(const std::string_view piece, co_await read_some(kWholeStepBytes));
        if (piece.empty()) {
            co_return base::Status{};
        }
        if (body.size() + piece.size() > lease.bytes() && !lease.grow(kBodyPieceBytes)) {
            co_return overloaded;
        }
        body.append(piece);
    }
}

}  // namespace confab::web
