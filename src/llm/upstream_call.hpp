// UpstreamCall: one question to a model server, patiently: waits for a slot (UpstreamSlots), sends, and sends again
// what failed before the first byte of an answer (Retries). The sink sees one answer, as if there had been one try.
#pragma once

#include <optional>
#include <string>

#include "llm/retry.hpp"
#include "llm/upstream.hpp"
#include "llm/upstream_slots.hpp"
#include "net/http_client.hpp"

namespace confab::llm {

inline constexpr std::size_t kErrorBodyBytesMax = 64 * 1024;  // of an answer with an error status; the rest is dropped

// When a call reached what, for traces; of the last try.
struct CallTimes {
    using Time = net::Deadline::Clock::time_point;

    Time begun = net::Deadline::Clock::now();
    std::optional<Time> granted;    // a slot
    std::optional<Time> connected;  // on a new or a kept connection
};

// Lives on the shard of its client, and must not outlive it.
class UpstreamCall final : private net::HttpSink {
public:
    UpstreamCall(
        net::HttpClient& client,
        net::Executor executor,
        UpstreamPtr upstream,
        net::HttpRequest request,
        net::HttpSink& sink,
        PersonKey person
    );

    // As HttpCall::send. Besides: unavailable (upstream_busy) when no slot was to be had.
    net::Task<base::Result<net::HttpHead>> send();

    // Ends everything at once, in whatever state: in the line, connecting, sending, pausing between two tries, or in
    // the middle of the answer. send() answers `cancelled`. Not to be called from the sink.
    void cancel();

    // Goes on after Flow::pause.
    void resume();

    const CallTimes& times() const { return times_; }

private:
    void on_head(const net::HttpHead& head) override;
    net::Flow on_body(std::string_view bytes) override;

    void on_read_end() override {
        if (delivered_) {
            sink_.on_read_end();
        }
    }

    net::Task<base::Result<net::HttpHead>> try_once();
    TryFailure failure_of(const base::Result<net::HttpHead>& sent) const;
    void note_failure(const base::Result<net::HttpHead>& sent) const;
    void deliver_held();
    net::Task<void> pause(std::chrono::steady_clock::duration duration);

    net::HttpClient& client_;
    net::Executor executor_;
    UpstreamPtr upstream_;
    net::HttpRequest request_;
    net::HttpSink& sink_;
    net::Timer timer_;
    const PersonKey person_;  // for whom it is, in the line for a slot
    std::optional<SlotRequest> slot_;
    std::optional<net::HttpCall> call_;
    std::optional<net::HttpHead> head_;  // of this try
    std::string held_;                   // body of an error answer: it may be tried again
    bool delivered_ = false;             // the sink has the head
    bool cancelled_ = false;
    CallTimes times_;
};

}  // namespace confab::llm
