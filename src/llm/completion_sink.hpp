// CompletionSink: who receives the pieces of an answer. AnswerBudget: how much an answer may still grow.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/text.hpp"
#include "llm/events.hpp"

namespace confab::llm {

// Called in the order in which the server said things, on the thread that feeds the bytes. Every text is non-empty and
// valid UTF-8; views are valid only during the call.
class CompletionSink {
public:
    virtual ~CompletionSink() = default;
    virtual void on_text(std::string_view text) = 0;
    virtual void on_reasoning(std::string_view text) = 0;
    virtual void on_refusal(std::string_view text) = 0;
    virtual void on_tool_call(const ToolCallDelta& delta) = 0;

    // All that came together has been told: the moment to show it.
    virtual void on_read_end() {}
};

// Bytes that an answer may still have, counted over its text, reasoning, refusal and tool arguments.
class AnswerBudget {
public:
    explicit AnswerBudget(std::size_t bytes_max) : left_(bytes_max) {}

    // The prefix of `text` that still fits, cut between characters. Once something did not fit, nothing does any more.
    std::string_view take(std::string_view text) {
        const std::string_view taken = exceeded_ ? std::string_view() : base::utf8_prefix(text, left_);
        left_ -= taken.size();
        exceeded_ = exceeded_ || taken.size() < text.size();
        return taken;
    }

    bool exceeded() const { return exceeded_; }

private:
    std::size_t left_;
    bool exceeded_ = false;
};

}  // namespace confab::llm
