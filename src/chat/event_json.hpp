// How runs look to clients: the Response object, its events and items, in the dialect of OpenAI's Responses API
// (api facts, sections 3 and 4).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "chat/event_log.hpp"
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
    store::ItemId item;  // of the answer's message
};

// How it ended.
struct ResponseEnd {
    store::RunStatus status = store::RunStatus::in_progress;
    store::UnixSeconds completed_at = 0;
    std::string error_code;
    std::string error_message;
    std::string incomplete_reason;
    std::string usage;                                // a JSON object, or empty
    std::optional<std::string> text;                  // of the answer's message; nothing when there is no message
    base::Errc errc = base::Errc::upstream_failed;    // of a failure, for the caller that waits for it; not stored
    std::optional<std::chrono::seconds> retry_after;  // likewise
};

std::string_view to_string(store::RunStatus status);
std::string_view to_string(store::ItemStatus status);
std::string_view to_string(store::ItemRole role);

// The Response object; while it runs `end` has a status that is not final, and the output is empty.
void render_response(std::string& out, const ResponseFacts& facts, const ResponseEnd& end);

// Appends one SSE event ("event: ...\ndata: {...}\n\n").
void render_event(
    std::string& out,
    const ResponseFacts& facts,
    const ResponseEnd& end,
    Sequence sequence,
    const Event& event
);

inline constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";

// A stored item, with Confab's extra fields.
void render_item(std::string& out, const store::Item& item);

// Facts and end of a run as the store remembers it.
ResponseFacts facts_of(const store::Run& run);
ResponseEnd end_of(const store::Run& run);

}  // namespace confab::chat
