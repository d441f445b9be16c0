// CompletionStream: the body of one answer of a model server to POST /chat/completions -> text, reasoning, refusal,
// tool calls and an outcome. It implements rules 3 to 11 of api/upstream-quirks.md; each is there because a real server
// needs it.
//
// Sans-I/O: bytes in, calls out. Where the bytes are cut does not matter. Usually the body is an event stream; when the
// server answers `stream: true` with one JSON document (or a web page) that is recognised by its first byte.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "llm/completion_sink.hpp"
#include "llm/delta_template.hpp"
#include "llm/error_body.hpp"
#include "llm/events.hpp"
#include "llm/sse_parser.hpp"
#include "llm/tool_calls.hpp"
#include "llm/utf8_joiner.hpp"

namespace confab::llm {

// What one answer may hold in text, reasoning, refusal and arguments together. The longest answers of today's models
// (128 Ki tokens) have about 512 KiB.
inline constexpr std::size_t kAnswerBytesMax = std::size_t{2} << 20;

// The usage that an event, a choice or a whole answer carries; nothing when it carries none.
std::optional<Usage> find_usage(const base::json::object& object);

// One per request, used by one thread, owned by the provider client. Call feed() for each piece of the body until
// done() or the body ends, then finish() once.
class CompletionStream final : private SseHandler {
public:
    explicit CompletionStream(CompletionSink& sink, std::size_t answer_bytes_max = kAnswerBytesMax)
        : sink_(sink), budget_(answer_bytes_max), tools_(sink, budget_) {}

    CompletionStream(const CompletionStream&) = delete;
    CompletionStream& operator=(const CompletionStream&) = delete;

    // The Content-Type of the answer, before the first feed(). Optional: it only matters when the first byte leaves a
    // doubt.
    void begin(std::string_view content_type);

    // Delivers what these bytes complete. Ignores everything once done().
    void feed(std::string_view bytes);

    // Nothing more is expected: the caller need not wait for the server to close ([DONE], an error, a cap).
    bool done() const { return done_; }

    // The body has ended, regularly or not. Delivers what was held back. Without a sign of the end in the body (no
    // [DONE], no finish reason) the outcome is the fault `truncated`, so a broken connection needs no other path.
    Outcome finish();

    // What is buffered between two calls, for the owner's byte lease. A few hundred bytes unless an event is large.
    std::size_t bytes_held() const { return parser_.bytes_held() + body_.capacity(); }

private:
    enum class Shape : std::uint8_t { unknown, events, document, page };  // of the body

    Next on_event(const SseEvent& event) override;
    void detect_shape(std::string_view& bytes);
    void take_data(std::string_view data, bool is_error);
    void split_glued(std::string_view data, bool is_error);
    void take_value(const base::json::value& value, bool is_error);
    void take_object(const base::json::object& object, bool is_error);
    void take_usage(const base::json::object& object);
    void take_choices(const base::json::object& object);
    void take_choice(const base::json::object& choice);
    void take_delta(const base::json::object& delta);
    void take_content(const base::json::value& content);
    void take_part(const base::json::value& part);
    void take_reasoning(const base::json::object& delta);
    void take_thoughts(const base::json::object& object, std::string_view key);
    void take_tool_calls(const base::json::object& delta);
    void finish_document();
    void flush_text();
    void text(std::string_view piece);
    void reasoning(std::string_view piece);
    void fail(Fault::Kind kind, std::string_view message, std::string_view code = {});
    void fail_from(const ErrorBody& error);
    void check_budget();
    std::variant<FinishReason, Fault> end() const;
    std::variant<FinishReason, Fault> end_without_reason() const;

    CompletionSink& sink_;
    AnswerBudget budget_;
    SseParser parser_;
    ToolCalls tools_;
    Utf8Joiner text_joiner_;
    Utf8Joiner reasoning_joiner_;
    Utf8Joiner refusal_joiner_;
    std::string scratch_;  // of the joiners
    DeltaTemplate template_;
    std::string_view only_text_;  // of the event being parsed: the last content that was a string
    int pieces_ = 0;              // of the event being parsed: what it brought
    std::string body_;            // of a document or a page
    std::string raw_finish_reason_;
    std::optional<Usage> usage_;
    std::optional<Fault> fault_;
    Shape shape_ = Shape::unknown;
    Shape announced_shape_ = Shape::events;  // by the Content-Type
    std::size_t lead_bytes_ = 0;             // of a byte order mark before the body
    bool done_ = false;
    bool terminated_ = false;  // [DONE] came, or the document was whole
    bool torn_event_ = false;  // an event could not be parsed; is it the last one?
    bool said_something_ = false;
    bool has_deltas_ = false;  // text came as deltas, so a `message` would only repeat it
};

}  // namespace confab::llm
