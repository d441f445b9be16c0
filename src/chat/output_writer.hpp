// OutputWriter: the pieces of an answer, as a model server sends them -> the events of its log.
//
// One item is open at a time, reasoning or a message, and besides it function calls: those end when their arguments are
// whole and something else begins, or with the answer.
#pragma once

#include <string>
#include <vector>

#include "chat/event_json.hpp"
#include "llm/tool_calls.hpp"

namespace confab::chat {

// Of a function call's id; clients send it back, and OpenAI's schema allows them no more. A longer one is replaced.
inline constexpr std::size_t kCallIdBytesMax = 64;

class OutputWriter {
public:
    // Goes on with what the log has.
    explicit OutputWriter(EventLog& log) : log_(log) {}

    void text(std::string_view piece) { say(PartKind::text, piece); }

    void refusal(std::string_view piece) { say(PartKind::refusal, piece); }

    void reasoning(std::string_view piece) { say(PartKind::summary, piece); }

    void tool_call(const llm::ToolCallDelta& delta);

    // No more pieces come: announces the calls that still wait for their name.
    void finish();

    // There were more items or parts than kOutputItemsMax, kOutputPartsMax: nothing is taken any more.
    bool overflowed() const { return overflowed_; }

    std::size_t bytes_held() const { return bytes_held_; }

private:
    static constexpr std::size_t kNone = SIZE_MAX;

    struct Call {
        std::size_t slot = 0;
        std::size_t output = kNone;  // kNone: not announced yet
        llm::JsonExtent arguments;
        std::string id;
        std::string held;   // arguments that came before the name
        std::string extra;  // came before the name too
    };

    void say(PartKind kind, std::string_view piece);
    bool open_part(PartKind kind);
    std::size_t add_item(const base::ItemId& id, std::string_view call_id = {}, std::string_view name = {});
    void append(EventKind kind, std::size_t output, std::size_t content, std::string_view payload = {});
    void close_current();
    void close_whole_calls();
    Call& call_of(const llm::ToolCallDelta& delta);
    void announce(Call& call, std::string_view name);
    std::string fresh_call_id(std::string_view id) const;

    EventLog& log_;
    std::size_t current_ = kNone;  // the open reasoning or message
    PartKind current_part_ = PartKind::text;
    std::vector<Call> calls_;
    std::size_t bytes_held_ = 0;
    bool overflowed_ = false;
};

// Events that begin a log.
void append_opening_events(EventLog& log, bool background);

// Fixes how the answer ended: closes what is open, fills in `end.output`, appends the last events. For a finished run
// and for one found after a crash.
void close_log(EventLog& log, ResponseEnd& end);

// The story of an answer whose log has expired, from its stored items: one delta for each part.
EventLog rebuild_log(const ResponseFacts& facts, const ResponseEnd& end);

}  // namespace confab::chat
