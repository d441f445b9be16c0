// StreamOutput: the body of a streamed answer on its way to the client, chunked or plain.
//
// Two ways in. offer() sends at once what the socket takes, without a coroutine: a token then costs one system call and
// no turn of the event loop. write() waits for the client. What offer() could not send is kept, one frame at most, and
// goes out with the next write().
#pragma once

#include <string>
#include <string_view>

#include "meter/counters.hpp"
#include "net/deadline.hpp"
#include "net/task.hpp"
#include "web/exchange.hpp"

namespace confab::web {

inline constexpr std::chrono::seconds kWriteStallMax{30};  // a client that takes nothing for so long is dropped

// What an output borrows of its session, and outlives it.
struct Wire {
    net::TcpSocket& socket;
    net::Deadline& deadline;  // of the session's operation under way; the session closes the socket when it passes
    bool& client_gone;
    meter::HttpCounters& counters;
};

// Writes all of it. False when the client is gone or took nothing for kWriteStallMax.
net::Task<bool> write_all(Wire& wire, const std::vector<boost::asio::const_buffer>& buffers);

class StreamOutput final : public StreamWriter {
public:
    enum class Framing : std::uint8_t { chunked, plain };  // plain: the end of the connection is the end (HTTP/1.0)

    // `head` goes out with the first bytes of the body.
    StreamOutput(Wire wire, Framing framing, std::string head)
        : wire_(wire), framing_(framing), rest_(std::move(head)) {}

    StreamOutput(const StreamOutput&) = delete;
    StreamOutput& operator=(const StreamOutput&) = delete;

    ~StreamOutput() override { count(); }

    Offer offer(std::string_view bytes) override;
    net::Task<bool> write(std::string_view bytes) override;

    void end_with(std::string_view bytes) override;

    bool has_rest() const override { return !rest_.empty(); }

    bool client_gone() const override { return wire_.client_gone; }

    void drop() override { wire_.deadline = net::Deadline::after(std::chrono::seconds(0)); }

    // The last chunk. False when the client is gone.
    net::Task<bool> finish();

private:
    void frame(std::string& out, std::string_view bytes) const;
    void count();

    Wire wire_;
    Framing framing_;
    std::string rest_;      // framed, of an offer that the socket did not take whole; at first the head
    std::size_t uncounted_ = 0;  // bytes sent by offers; all shards share the counter, which is not for each token
    bool writing_ = false;  // a write() is under way
};

}  // namespace confab::web
