#include "web/stream_output.hpp"

#include <charconv>

#include <sys/socket.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

namespace confab::web {

namespace {

namespace asio = boost::asio;
using net::Task;

constexpr std::string_view kEndOfChunk = "\r\n";

}  // namespace

Task<bool> write_all(Wire& wire, const std::vector<asio::const_buffer>& buffers) {
    wire.deadline = net::Deadline::after(kWriteStallMax);
    boost::system::error_code ec;
    const std::size_t sent = co_await asio::async_write(wire.socket, buffers, asio::redirect_error(net::use_task, ec));
    wire.deadline = net::Deadline::never();
    wire.counters.bytes_sent.add(sent);
    wire.client_gone = wire.client_gone || ec.failed();
    co_return !wire.client_gone;
}

// One contiguous frame: copying some hundred bytes costs less than a scatter list does in the kernel.
void StreamOutput::frame(std::string& out, std::string_view bytes) const {
    if (framing_ == Framing::plain) {
        out += bytes;
        return;
    }
    char size[18];
    const auto end = std::to_chars(size, size + sizeof size, bytes.size(), 16).ptr;
    out.append(size, end);
    out += kEndOfChunk;
    out += bytes;
    out += kEndOfChunk;
}

StreamWriter::Offer StreamOutput::offer(std::string_view bytes) {
    if (writing_ || !rest_.empty() || wire_.client_gone) {
        return Offer::refused;
    }
    thread_local std::string framed;  // of the shard; empty between two calls
    framed.clear();
    frame(framed, bytes);
    const auto sent = ::send(wire_.socket.native_handle(), framed.data(), framed.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        wire_.client_gone = true;
        return Offer::refused;
    }
    const std::size_t taken = sent > 0 ? static_cast<std::size_t>(sent) : 0;
    wire_.counters.bytes_sent.add(taken);
    if (taken == framed.size()) {
        return Offer::sent;
    }
    rest_.assign(framed, taken);
    return Offer::kept;
}

Task<bool> StreamOutput::write(std::string_view bytes) {
    if (wire_.client_gone || (bytes.empty() && rest_.empty())) {
        co_return !wire_.client_gone;
    }
    std::string framed = std::move(rest_);
    rest_ = std::string();
    if (!bytes.empty()) {
        frame(framed, bytes);
    }
    writing_ = true;
    const std::vector<asio::const_buffer> buffers{asio::buffer(framed)};
    const bool written = co_await write_all(wire_, buffers);
    writing_ = false;
    co_return written;
}

Task<bool> StreamOutput::finish() {
    if (framing_ == Framing::chunked) {
        rest_ += "0\r\n\r\n";
    }
    co_return co_await write({});
}

}  // namespace confab::web
