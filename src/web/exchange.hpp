// One request and the answer to it, as handlers see them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "meter/allowance.hpp"
#include "meter/byte_budget.hpp"
#include "meter/trace.hpp"
#include "net/task.hpp"

namespace confab::web {

// Who asks, once authenticated. How the credential travelled matters: some routes take only signed-in people, not keys.
enum class Carrier : std::uint8_t {
    none,
    cookie,  // of a session
    bearer,  // an API key
    proxy,   // a header that a trusted proxy sets
    local,   // nothing: the one person of a server for one, on this machine
};

// A browser sends it along by itself, also with what other sites make it ask: such a request must show where it is from.
constexpr bool is_ambient(Carrier carrier) {
    return carrier == Carrier::cookie || carrier == Carrier::proxy || carrier == Carrier::local;
}

struct Caller {
    Carrier carrier = Carrier::none;
    std::int64_t user_no = 0;  // store::UserNo
    bool admin = false;
    std::string session_id;  // with a cookie
    std::string key_id;      // with a key
    std::shared_ptr<const std::vector<std::string>> models;  // patterns of those that the key may ask; null: all
    meter::TicketPtr ticket;  // of a route that makes an answer; who goes on with the answer takes it
};

// What the audit log is told of a request, by those who handle it.
struct AuditNote {
    std::string kind;           // empty: the route's
    std::string object;         // the id or name of what it was done to
    std::string detail;         // never a secret, never what was said
    std::string refusal;        // why not, where the answer is no error: a browser that is sent on
    std::string tried;          // the address with which somebody tried to come in
    std::int64_t actor_no = 0;  // store::UserNo of whom the request made, or signed in
};

struct Header {
    std::string name;  // lower case
    std::string value;
};

struct Request {
    std::string method;
    std::string path;                                        // percent-decoded, no query
    std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
    std::vector<Header> headers;
    std::vector<std::string> path_arguments;  // what the route's {placeholders} matched
    std::string body;
    meter::Lease lease;       // of the body
    meter::Slot slot;         // of an answer or a sign-in; the handler may pass it on
    std::string id;      // req_...
    std::string remote;  // address without port
    bool remote_is_loopback = false;
    bool from_proxy = false;  // the connection is a trusted proxy's
    bool secure = false;  // the client speaks TLS, with this server or with a trusted proxy
    bool keep_alive = true;
    bool http_1_0 = false;
    Caller caller;
    std::optional<meter::TraceContext> trace;  // of the request's own span; nothing when tracing is off
    AuditNote audit;
    std::vector<Header> answer_headers;  // that the answer has, whatever it is

    std::string_view header(std::string_view lower_case_name) const;
    bool has_header(std::string_view lower_case_name) const;
    // The first parameter of this name; nothing when absent.
    std::optional<std::string_view> query_value(std::string_view name) const;
};

// Writes the body of a streamed answer piece by piece.
class StreamWriter {
public:
    virtual ~StreamWriter() = default;

    enum class Offer : std::uint8_t {
        sent,     // all of it
        kept,     // taken, but not sent whole: write() soon, if only an empty string
        refused,  // not taken: the client has not taken what came before, or is gone
    };

    // Sends at once, without waiting; one chunk. May be called outside the coroutine that streams.
    virtual Offer offer(std::string_view bytes) = 0;
    // What an offer left over, then these bytes, as one chunk; waits for the client. False when the client is gone or
    // too slow (30 s without progress): stop then.
    virtual net::Task<bool> write(std::string_view bytes) = 0;
    // The last bytes, when stream() returns right afterwards: they are sent together with the end of the body.
    virtual void end_with(std::string_view bytes) = 0;
    // Something waits for the next write(): what an offer left over, or at first the head of the answer. Nothing is
    // offered meanwhile.
    virtual bool has_rest() const = 0;
    virtual bool client_gone() const = 0;
    // Closes the connection soon (the next tick) when a write() is under way, which then answers false.
    virtual void drop() = 0;
};

// The source of a streamed answer; destroyed when the stream ends, however it ends.
class Streamer {
public:
    virtual ~Streamer() = default;
    // Called once. The head is sent with the first write(), be it of nothing: who has nothing to say for long begins
    // with that.
    virtual net::Task<void> stream(StreamWriter& writer) = 0;

    // Called on the shard's thread when the client has closed its connection. Must be quick; stream() then finds out by
    // itself.
    virtual void client_gone() {}
};

struct Reply {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::vector<Header> headers;
    std::string body;
    std::string_view static_body;        // used instead of `body` when not empty; must live for ever (embedded assets)
    std::unique_ptr<Streamer> streamer;  // used instead of both
    meter::Lease lease;                  // of `body`, when it is leased already
};

inline Reply json_reply(std::string body, unsigned status = 200) {
    Reply reply;
    reply.status = status;
    reply.body = std::move(body);
    return reply;
}

// Server-sent events, told to proxies as what must be neither kept nor held back.
inline Reply stream_reply(std::unique_ptr<Streamer> streamer) {
    Reply reply;
    reply.content_type = "text/event-stream; charset=utf-8";
    reply.headers.push_back({"cache-control", "no-cache, no-transform"});
    reply.headers.push_back({"x-accel-buffering", "no"});
    reply.streamer = std::move(streamer);
    return reply;
}

// The standard envelope: {"error":{"message","type","param","code"}}.
Reply error_reply(const base::Error& error);
std::string error_body(const base::Error& error);

// Told when the client closes while a handler is at work; for requests that last.
class Exchange {
public:
    virtual ~Exchange() = default;
    virtual Request& request() = 0;
    // `callback` runs at most once, on the shard's thread; until the exchange ends or unwatch_client().
    virtual void watch_client(std::function<void()> callback) = 0;
    virtual void unwatch_client() = 0;
    // The next bytes of the body (BodyReader::next), valid until the next call; empty at its end. Only in handlers of
    // routes with BodyMode::streamed. A handler may stop early: the connection is then closed after the answer.
    virtual net::Task<base::Result<std::string_view>> read_body_piece() = 0;
};

}  // namespace confab::web
