// A sink that writes down what it is told, in a form that does not depend on how the texts were cut: consecutive pieces
// of the same kind are merged. Used by the golden files and by the tests of the stream.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "llm/completion_sink.hpp"
#include "llm/completion_stream.hpp"

namespace confab::llm {

class Recorder final : public CompletionSink {
public:
    void on_text(std::string_view text) override { add("text", text); }

    void on_reasoning(std::string_view text) override { add("reasoning", text); }

    void on_refusal(std::string_view text) override { add("refusal", text); }

    void on_tool_call(const ToolCallDelta& delta) override {
        EXPECT_FALSE(delta.id.empty());
        EXPECT_TRUE(base::is_utf8(delta.id) && base::is_utf8(delta.name));
        EXPECT_TRUE(base::is_utf8(delta.arguments) && base::is_utf8(delta.extra_content));
        ++calls_;
        if (lines_.empty() || lines_.back().slot != delta.slot || lines_.back().kind != "tool") {
            lines_.push_back({"tool", delta.slot, std::string(delta.id), {}, {}, {}});
        }
        Line& line = lines_.back();
        EXPECT_EQ(line.id, delta.id);
        line.name = delta.name;
        line.text += delta.arguments;
        line.extra += delta.extra_content;
    }

    // Ids that are not in `source` were made up by the parser; they are shown as <made>.
    std::string rendered(std::string_view source) const {
        std::string out;
        for (const Line& line : lines_) {
            out += line.kind;
            if (line.kind == "tool") {
                const bool given = source.find(line.id) != std::string_view::npos;
                out += " " + std::to_string(line.slot) + " id=" + (given ? line.id : "<made>") + " name=" + line.name;
            }
            out += " \"";
            base::append_escaped(out, line.text);
            out += '"';
            out += line.extra.empty() ? "" : " extra=" + line.extra;
            out += '\n';
        }
        return out;
    }

    std::string text() const { return joined("text"); }

    std::string reasoning() const { return joined("reasoning"); }

    std::size_t calls() const { return calls_; }

private:
    struct Line {
        std::string_view kind;
        std::size_t slot = 0;
        std::string id;
        std::string name;
        std::string text;
        std::string extra;
    };

    void add(std::string_view kind, std::string_view text) {
        EXPECT_FALSE(text.empty());
        EXPECT_TRUE(base::is_utf8(text));
        ++calls_;
        if (lines_.empty() || lines_.back().kind != kind) {
            lines_.push_back({kind, 0, {}, {}, {}, {}});
        }
        lines_.back().text += text;
    }

    std::string joined(std::string_view kind) const {
        std::string all;
        for (const Line& line : lines_) {
            all += line.kind == kind ? line.text : "";
        }
        return all;
    }

    std::vector<Line> lines_;
    std::size_t calls_ = 0;
};

inline std::string rendered(const Outcome& outcome) {
    std::string out = "outcome ";
    if (const Fault* fault = outcome.fault()) {
        out += std::string(to_string(fault->kind)) + " code=\"" + fault->code + "\" message=\"";
        base::append_escaped(out, fault->message);
        out += '"';
    } else {
        out += to_string(std::get<FinishReason>(outcome.end));
    }
    out += " raw=\"" + outcome.raw_finish_reason + "\"\n";
    if (outcome.usage) {
        out += "usage input=" + std::to_string(outcome.usage->input_tokens);
        out += " cached=" + std::to_string(outcome.usage->cached_tokens);
        out += " output=" + std::to_string(outcome.usage->output_tokens);
        out += " reasoning=" + std::to_string(outcome.usage->reasoning_tokens);
        out += " total=" + std::to_string(outcome.usage->total_tokens) + "\n";
    }
    return out;
}

}  // namespace confab::llm
