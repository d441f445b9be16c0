// How runs look to clients: the Response object, its events and items, in the dialect of OpenAI's Responses API
// (api facts, sections 3 and 4).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "chat/event_log.hpp"
#include "chat/output_item.hpp"
#include "store/rows.hpp"

namespace confab::chat {

// What is known of a response from its beginning and never changes.
struct ResponseFacts {
    store::ResponseId id;
    store::UnixSeconds created_at = 0;
    std::string model;
    std::string request;  // the echoed fields, a JSON object
    bool background = false;
    bool stored = true;
    std::optional<store::ConversationId> conversation;
    std::optional<store::ResponseId> previous_response;
};

// How it ended.
struct ResponseEnd {
    store::RunStatus status = store::RunStatus::in_progress;
    store::UnixSeconds completed_at = 0;
    std::string error_code;
    std::string error_message;
    std::string incomplete_reason;
    std::string usage;                                // a JSON object, or empty
    std::optional<store::RunTiming> timing;           // nothing when no token came, or nobody measured
    std::vector<OutputItem> output;                   // empty when nothing came
    base::Errc errc = base::Errc::upstream_failed;    // of a failure, for the caller that waits for it; not stored
    std::optional<std::chrono::seconds> retry_after;  // likewise
};

std::string_view to_string(store::RunStatus status);

// The Response object; while it runs `end` has a status that is not final, and the output is empty.
void render_response(std::string& out, const ResponseFacts& facts, const ResponseEnd& end);

// The members `usage` and `timing`, null when they are not known.
void render_measures(base::JsonWriter& out, std::string_view usage, const std::optional<store::RunTiming>& timing);

// Renders the events of one response. What it is given must outlive it.
class EventRenderer {
public:
    // Of a response under way: `log` is its whole log so far. `end` counts once it is final.
    EventRenderer(const ResponseFacts& facts, const ResponseEnd& end, const EventLog& log)
        : facts_(facts), end_(end), log_(&log) {}

    // Of one that has ended: everything that is not in an event itself is in `end`.
    EventRenderer(const ResponseFacts& facts, const ResponseEnd& end);

    // Appends one SSE event ("event: ...\ndata: {...}\n\n").
    void render(std::string& out, Sequence sequence, const Event& event) const;

private:
    void render_body(base::JsonWriter& out, const Event& event) const;
    void render_text_delta(std::string& out, Sequence sequence, const Event& event) const;
    void render_delta(base::JsonWriter& out, const Event& event) const;
    void render_part_event(base::JsonWriter& out, const Event& event) const;
    void render_snapshot(base::JsonWriter& out, EventKind kind) const;
    std::string_view place_of(const Event& event) const;
    void place(base::JsonWriter& out, const Event& event) const;
    OutputItem announced(std::size_t output) const;
    OutputItem item(std::size_t output) const;

    const ResponseFacts& facts_;
    const ResponseEnd& end_;
    const EventLog* log_ = nullptr;
    std::vector<std::string> places_;  // without a log: render_place() of each item
};

inline constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";

// Facts and end of a run as the store remembers it.
ResponseFacts facts_of(const store::Run& run);
ResponseEnd end_of(const store::Run& run);

}  // namespace confab::chat
