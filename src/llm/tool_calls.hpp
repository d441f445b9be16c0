// ToolCalls: sorts the fragments of tool calls into slots, one per call, whatever a server uses to tell calls apart
// (rule 8).
//
// The arguments are not kept here: the sink gets each fragment once. A scanner knows for each call whether its
// arguments are a complete JSON object, which is how two calls under one index are told from one call in two pieces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "llm/completion_sink.hpp"
#include "llm/utf8_joiner.hpp"

namespace confab::llm {

inline constexpr std::size_t kToolCallsMax = 128;  // OpenAI's own limit on the number of tools

// Follows a JSON object or array through fragments and knows where it ends.
class JsonExtent {
public:
    // Bytes of `fragment` up to and including the end of the first complete value; all of them when it does not end
    // here.
    std::size_t scan(std::string_view fragment);

    bool complete() const { return complete_; }

private:
    std::size_t depth_ = 0;
    bool in_string_ = false;
    bool escaped_ = false;
    bool complete_ = false;
};

class ToolCalls {
public:
    ToolCalls(CompletionSink& sink, AnswerBudget& budget) : sink_(sink), budget_(budget) {}

    // One entry of `delta.tool_calls`, or the old `delta.function_call`. False when there are more than kToolCallsMax
    // calls.
    bool add(const base::json::object& call);

    bool empty() const { return slots_.empty(); }

    // Every call has arguments that are a complete JSON value.
    bool complete() const;

    // No more fragments come: delivers what was held back of half characters.
    void finish();

private:
    struct Slot {
        std::optional<std::int64_t> index;
        std::string id;
        std::string name;
        JsonExtent extent;
        Utf8Joiner joiner;
        bool announced = false;
    };

    // What one entry says, in the shape the rules speak of.
    struct Entry {
        std::optional<std::int64_t> index;
        std::string_view id;
        std::string_view name;
        std::string_view arguments;
    };

    Slot* slot_for(const Entry& entry);
    Slot* find_slot(const Entry& entry);
    Slot* open(const Entry& entry, std::string_view name);
    void deliver(Slot& slot, std::string_view arguments, std::string_view extra);

    CompletionSink& sink_;
    AnswerBudget& budget_;
    std::vector<Slot> slots_;
    std::string scratch_;
};

}  // namespace confab::llm
