#include "web/stream_output.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <sys/socket.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

namespace confab::web {

namespace {

namespace asio = boost::asio;
using net::Task;

constexpr std::size_t kPartsAtOnceMax = 4;
constexpr std::size_t kUncountedMax = 16 * 1024;  // bytes
constexpr std::string_view kEndOfChunk = "\r\n";

// What the socket takes at once, as nearly always everything: it saves a turn of the event loop.
std::size_t send_at_once(Wire& wire, const std::vector<asio::const_buffer>& buffers) {
    iovec parts[kPartsAtOnceMax];
    std::size_t count = 0;
    for (const asio::const_buffer& buffer : buffers) {
        if (count == kPartsAtOnceMax) {
            break;
        }
        parts[count++] = {const_cast<void*>(buffer.data()), buffer.size()};
    }
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    const auto sent = ::sendmsg(wire.socket.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;  // the next try tells what is wrong
}

}  // namespace

Task<bool> write_all(Wire& wire, const std::vector<asio::const_buffer>& buffers) {
    std::size_t sent = send_at_once(wire, buffers);
    if (sent < asio::buffer_size(buffers)) {
        std::vector<asio::const_buffer> left;
        std::size_t skipped = sent;
        for (const asio::const_buffer& buffer : buffers) {
            left.push_back(buffer + std::min(skipped, buffer.size()));
            skipped -= std::min(skipped, buffer.size());
        }
        wire.deadline = net::Deadline::after(kWriteStallMax);
        boost::system::error_code ec;
        sent += co_await asio::async_write(wire.socket, left, asio::redirect_error(net::use_task, ec));
        wire.deadline = net::Deadline::never();
        wire.client_gone = wire.client_gone || ec.failed();
    }
    wire.counters.bytes_sent.add(sent);
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
    uncounted_ += taken;
    if (uncounted_ >= kUncountedMax) {
        count();
    }
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

void StreamOutput::end_with(std::string_view bytes) {
    if (!bytes.empty()) {
        frame(rest_, bytes);
    }
}

void StreamOutput::count() {
    wire_.counters.bytes_sent.add(std::exchange(uncounted_, 0));
}

Task<bool> StreamOutput::finish() {
    if (framing_ == Framing::chunked) {
        rest_ += "0\r\n\r\n";
    }
    co_return co_await write({});
}

}  // namespace confab::web
