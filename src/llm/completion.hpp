// Completion: one answer being fetched from a model server, or from the built-in demonstration.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "llm/completion_stream.hpp"
#include "llm/upstream.hpp"
#include "llm/upstream_call.hpp"
#include "net/http_client.hpp"

namespace confab::llm {

inline constexpr std::chrono::minutes kAnswerMax{60};  // an answer that takes longer is cut off

// Lives on the shard of its HTTP client. The sink is called while run() is awaited.
class Completion {
public:
    virtual ~Completion() = default;

    // Everything the server said went to the sink; returns how it ended. A fault after the first delta is an Outcome;
    // what came is valid. Errors: cancelled; what UpstreamCall fails with, and error_from_answer, when nothing had
    // come yet.
    virtual net::Task<base::Result<Outcome>> run() = 0;

    // Closes the connection to the server at once, or stops waiting for one; run() answers `cancelled`. Not to be
    // called from the sink.
    virtual void cancel() = 0;

    // Of its call, after run() has returned; nothing of the demonstration.
    virtual std::optional<CallTimes> times() const { return std::nullopt; }
};

// For whom an answer is asked, and in which trace.
struct CompletionOrigin {
    PersonKey person = 0;
    std::string traceparent = {};  // goes along as a header unless it is empty
};

// `body` is the whole JSON request with "stream":true; `upstream` null means the demonstration.
std::unique_ptr<Completion> make_completion(
    net::HttpClient& client,
    net::Executor executor,
    UpstreamPtr upstream,
    net::BodySource body,
    CompletionSink& sink,
    CompletionOrigin origin
);

}  // namespace confab::llm
