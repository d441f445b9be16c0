// ChatRelay: passes a streamed chat completion on, event by event, without understanding it.
//
// The model server's bytes are parsed into SSE events only, and each event's data goes on unchanged: tools, images,
// reasoning and whatever comes next pass unharmed. What is mended is the framing (CRLF, comments, a missing [DONE]) and
// errors, which take the standard shape. Events that are like the one before but for their text need no look at all
// (llm/familiar_events.hpp). Memory: at most kPendingBytesMax wait for a slow client; then the server is
// paused.
#pragma once

#include <memory>
#include <string>

#include "api/context.hpp"
#include "api/relay_usage.hpp"
#include "llm/familiar_events.hpp"
#include "llm/sse_parser.hpp"
#include "llm/upstream_call.hpp"

namespace confab::api {

inline constexpr std::size_t kPendingBytesMax = 64 * 1024;
inline constexpr std::uint64_t kRelayLeaseBytes = kPendingBytesMax;  // to begin with, and in steps of this size

// What is wrong with a document that should be a chat completion; nothing when it is one. Error: upstream_failed with
// the server's own code and message, or upstream_bad_answer.
std::optional<base::Error> document_problem(std::string_view document);

class ChatRelay final : public std::enable_shared_from_this<ChatRelay>, private net::HttpSink, private llm::SseHandler {
public:
    // `traceparent` goes along as a header when it is not empty; `lease` is of kRelayLeaseBytes.
    ChatRelay(
        Context& context,
        llm::UpstreamPtr upstream,
        std::string body,
        const std::string& traceparent,
        meter::Lease lease,
        RelayUsage usage
    );

    // Starts the exchange; it goes on in the background until its end or cancel().
    void start();
    // Waits until the server has answered: nothing when a stream has begun, else the error to answer with. An answer
    // that is one JSON document although a stream was asked for is turned into a stream of one event.
    Task<std::optional<base::Error>> wait_for_head();
    // Sends everything on; returns when the stream has ended or the client has gone.
    Task<void> send_to(web::StreamWriter& writer);
    void cancel();

    void client_gone() {
        cancel();
        news_.notify();
    }

private:
    Task<void> pump(std::shared_ptr<ChatRelay> self);
    void on_head(const net::HttpHead& head) override;
    net::Flow on_body(std::string_view bytes) override;
    void on_read_end() override;
    Next on_event(const llm::SseEvent& event) override;
    void end(const base::Result<net::HttpHead>& sent);
    void push();
    void take_document();
    void add_data(std::string_view data);
    void add_error(const base::Error& error);

    enum class Shape : std::uint8_t { unknown, events, document, refusal };

    Context& context_;
    llm::UpstreamPtr upstream_;
    RelayUsage usage_;
    llm::UpstreamCall call_;
    llm::SseParser parser_;
    llm::FamiliarEvents familiar_;
    net::Waker news_;
    web::StreamWriter* writer_ = nullptr;  // while send_to() runs
    meter::Lease lease_;  // of what waits for the client, or of the document
    std::string pending_;
    std::string document_;  // of an answer that is no stream
    Shape shape_ = Shape::unknown;
    std::optional<base::Error> refusal_;
    bool said_something_ = false;
    bool finished_ = false;  // a finish reason came
    bool done_ = false;      // [DONE] or an error went out
    bool over_ = false;      // nothing more comes
    bool paused_ = false;
};

class ChatRelayStreamer final : public web::Streamer {
public:
    explicit ChatRelayStreamer(std::shared_ptr<ChatRelay> relay) : relay_(std::move(relay)) {}

    ~ChatRelayStreamer() override { relay_->cancel(); }

    Task<void> stream(web::StreamWriter& writer) override { co_await relay_->send_to(writer); }

    void client_gone() override { relay_->client_gone(); }

private:
    std::shared_ptr<ChatRelay> relay_;
};

}  // namespace confab::api
