#include "chat/output_writer.hpp"
#include "unit/chat/sse_data.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include <gmock/gmock.h>

namespace confab::chat {
namespace {

namespace json = base::json;
using store::ItemStatus;
using store::RunStatus;
using Lines = std::vector<std::string>;

llm::ToolCallDelta call(
    std::size_t slot,
    std::string_view id,
    std::string_view name,
    std::string_view arguments,
    std::string_view extra = {}
) {
    return {slot, id, name, arguments, extra};
}

using Piece = std::function<void(OutputWriter&)>;

Piece text(std::string piece) {
    return [piece](OutputWriter& writer) { writer.text(piece); };
}

Piece reasoning(std::string piece) {
    return [piece](OutputWriter& writer) { writer.reasoning(piece); };
}

Piece refusal(std::string piece) {
    return [piece](OutputWriter& writer) { writer.refusal(piece); };
}

Piece tool(std::size_t slot, std::string id, std::string name, std::string arguments, std::string extra = {}) {
    return [=](OutputWriter& writer) { writer.tool_call(call(slot, id, name, arguments, extra)); };
}

// An answer being made, as every kind of viewer sees it.
struct Story {
    ResponseFacts facts;
    ResponseEnd end;
    EventLog log;
    Lines live;  // as shown when it happened

    explicit Story(const std::vector<Piece>& pieces, RunStatus status = RunStatus::completed) {
        facts.id = store::ResponseId::make();
        facts.model = "m";
        facts.background = true;
        log.append(EventKind::created);
        log.append(EventKind::queued);
        log.append(EventKind::in_progress);
        OutputWriter writer(log);
        show(end);
        for (const Piece& piece : pieces) {
            piece(writer);
            show(end);
        }
        writer.finish();
        end.status = status;
        end.usage = R"({"output_tokens":3})";
        end.timing = store::RunTiming{5, 55, 3};
        close_log(log, end);
        show(end);
    }

    void show(const ResponseEnd& now) {
        const EventRenderer renderer(facts, now, log);
        while (static_cast<Sequence>(live.size()) < log.size()) {
            const auto next = static_cast<Sequence>(live.size());
            live.emplace_back();
            renderer.render(live.back(), next, log.at(next));
        }
    }

    // As the store gives it back.
    ResponseEnd stored() const {
        ResponseEnd copy = end;
        copy.output.clear();
        for (const OutputItem& item : end.output) {
            const store::NewItem row = stored_item(item);
            store::Item kept;
            kept.id = row.id;
            kept.role = row.role;
            kept.status = row.status;
            kept.format = row.format;
            kept.body = row.body;
            copy.output.push_back(output_item(kept));
        }
        return copy;
    }

    std::vector<std::string> types() const {
        std::vector<std::string> all;
        for (const std::string& event : live) {
            std::string type(data_of(event).at("type").as_string());
            if (all.empty() || all.back() != type || !type.ends_with(".delta")) {
                all.push_back(type.substr(type.find('.') + 1));
            }
            if (all.size() > 1 && all.back().ends_with(".delta") && all[all.size() - 2] == all.back()) {
                all.pop_back();
            }
        }
        return all;
    }

    json::array output() const { return data_of(live.back()).at("response").at("output").as_array(); }
};

Lines render_all(const EventRenderer& renderer, const EventLog& log, Sequence first) {
    Lines lines;
    for (Sequence i = 0; i < log.size(); ++i) {
        lines.emplace_back();
        renderer.render(lines.back(), first + i, log.at(i));
    }
    return lines;
}

// The events without their numbers, item by item, the deltas of each part joined.
Lines told(const Lines& lines) {
    std::vector<json::object> story;
    for (const std::string& line : lines) {
        story.push_back(data_of(line));
        story.back().erase("sequence_number");
    }
    const auto place = [](const json::object& event) {
        const json::value* output = base::find(event, "output_index");
        const bool last = event.at("type").as_string().ends_with("ed") && base::find(event, "response") != nullptr &&
                          event.at("response").at("usage").is_object();
        return output != nullptr ? output->to_number<int>() : last ? 1'000 : -1;
    };
    std::ranges::stable_sort(story, {}, place);
    Lines joined;
    json::object* previous = nullptr;
    for (json::object& event : story) {
        const bool delta = event.at("type").as_string().ends_with(".delta");
        if (delta && previous != nullptr && previous->at("type") == event.at("type")) {
            previous->at("delta").as_string().append(event.at("delta").as_string());
            joined.back() = base::to_string(*previous);
        } else {
            previous = &event;
            joined.push_back(base::to_string(event));
        }
    }
    return joined;
}

const std::vector<Piece> kEverything{
    reasoning("Let me "),
    reasoning("think \xF0\x9F\x98\x80."),
    text("Hello"),
    text(", \"you\"\n"),
    refusal("I will"),
    refusal(" not."),
    text("But"),
    reasoning("Hm."),
    text("Again"),
    tool(0, "call_a", "look", ""),
    tool(0, "call_a", "look", "{\"a\":"),
    tool(0, "call_a", "look", "1}", R"({"sign":"x"})"),
    tool(1, "call_b", "see", "{}"),
};

void expect_same_for_all(const Story& story) {
    const Lines& live = story.live;
    EXPECT_EQ(render_all({story.facts, story.end, story.log}, story.log, 0), live) << "somebody who comes late";
    const ResponseEnd stored = story.stored();
    const EventRenderer replay(story.facts, stored);
    for (Sequence cut = 0; cut < story.log.size(); ++cut) {
        EventLog stretch;
        ASSERT_TRUE(stretch.append_records(story.log.records(cut, story.log.size())));
        ASSERT_EQ(render_all(replay, stretch, cut), Lines(live.begin() + cut, live.end())) << "replayed from " << cut;
    }
    const EventLog rebuilt = rebuild_log(story.facts, stored);
    EXPECT_EQ(told(render_all(replay, rebuilt, 0)), told(live)) << "rebuilt";
}

TEST(OutputWriter, EveryViewerGetsTheSameBytes) {
    for (const RunStatus status :
         {RunStatus::completed, RunStatus::incomplete, RunStatus::failed, RunStatus::cancelled}) {
        expect_same_for_all(Story(kEverything, status));
        expect_same_for_all(Story({}, status));
        for (std::size_t pieces = 1; pieces < kEverything.size(); ++pieces) {
            expect_same_for_all(Story({kEverything.begin(), kEverything.begin() + static_cast<int>(pieces)}, status));
        }
    }
}

TEST(OutputWriter, ReasoningThenTextThenCalls) {
    const Story story({
        reasoning("a"),
        reasoning("b"),
        text("c"),
        tool(0, "call_a", "look", "{\"x\""),
        tool(0, "call_a", "look", ":1}"),
        tool(1, "call_b", "look", "{}"),
    });
    EXPECT_EQ(
        story.types(),
        (Lines{
            "created",
            "queued",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "completed",
        })
    );
    const json::array output = story.output();
    ASSERT_EQ(output.size(), 4U);
    EXPECT_EQ(base::to_string(output[0].at("summary")), R"([{"type":"summary_text","text":"ab"}])");
    EXPECT_EQ(output[1].at("content").at(0).at("text"), "c");
    EXPECT_EQ(output[2].at("arguments"), R"({"x":1})");
    EXPECT_EQ(output[3].at("call_id"), "call_b");
    std::set<std::string> ids;
    for (const json::value& item : output) {
        EXPECT_EQ(item.at("status"), "completed");
        ids.emplace(item.at("id").as_string());
    }
    EXPECT_EQ(ids.size(), 4U);
}

TEST(OutputWriter, TextAndRefusalArePartsOfOneMessage) {
    const Story story({text("a"), refusal("b"), text("c")});
    ASSERT_EQ(story.output().size(), 1U);
    EXPECT_EQ(
        base::to_string(story.output()[0].at("content")),
        R"([{"type":"output_text","text":"a","annotations":[],"logprobs":[]},{"type":"refusal","refusal":"b"},)"
        R"({"type":"output_text","text":"c","annotations":[],"logprobs":[]}])"
    );
    EXPECT_EQ(data_of(story.live[11]).at("content_index"), 1) << story.live[11];
}

TEST(OutputWriter, WhatWasOpenWhenTheAnswerBrokeOffIsIncomplete) {
    const Story story({reasoning("a"), tool(0, "x", "n", "{}"), tool(1, "y", "n", "{\"")}, RunStatus::failed);
    const json::array output = story.output();
    ASSERT_EQ(output.size(), 3U);
    EXPECT_EQ(output[0].at("status"), "completed");
    EXPECT_EQ(output[1].at("status"), "completed");
    EXPECT_EQ(output[2].at("status"), "incomplete");
}

TEST(OutputWriter, CallsMayComeInTurns) {
    const Story story({
        tool(0, "a", "n", "{\"p\""),
        tool(1, "b", "n", "{\"q\""),
        tool(0, "a", "n", ":1}"),
        tool(1, "b", "n", ":2}"),
        tool(0, "a", "n", " "),
    });
    EXPECT_EQ(story.output().at(0).at("arguments"), "{\"p\":1} ");
    EXPECT_EQ(story.output().at(1).at("arguments"), "{\"q\":2}");
    expect_same_for_all(story);
}

TEST(OutputWriter, ACallWaitsForItsName) {
    EventLog log;
    OutputWriter writer(log);
    writer.tool_call(call(0, "a", "", "{\"p\""));
    EXPECT_TRUE(log.items().empty());
    EXPECT_EQ(writer.bytes_held(), 4U);
    writer.tool_call(call(0, "a", "late", ":1}"));
    EXPECT_EQ(log.items().at(0).name, "late");
    EXPECT_EQ(log.text_of(0, 0), "{\"p\":1}");
    EXPECT_EQ(writer.bytes_held(), 0U);
    writer.tool_call(call(1, "b", "", "{}"));
    writer.finish();
    EXPECT_EQ(log.items().at(1).name, "");
    EXPECT_EQ(log.text_of(1, 0), "{}");
}

TEST(OutputWriter, TellsCallsApartByTheirIds) {
    const std::string longest(kCallIdBytesMax, 'x');
    const Story story({
        tool(0, longest, "n", "{}"),
        tool(1, longest, "n", "{}"),
        tool(2, longest + "y", "n", "{}"),
    });
    std::vector<std::string> ids;
    for (const json::value& item : story.output()) {
        ids.emplace_back(item.at("call_id").as_string());
        EXPECT_LE(ids.back().size(), kCallIdBytesMax);
    }
    ASSERT_EQ(ids.size(), 3U);
    EXPECT_EQ(ids[0], longest);
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 3U);
}

TEST(OutputWriter, BlanksBetweenCallsAreNoMessage) {
    const Story story({tool(0, "a", "n", "{}"), text("\n"), tool(1, "b", "n", "{}"), text("\n\nDone")});
    const json::array output = story.output();
    ASSERT_EQ(output.size(), 3U);
    EXPECT_EQ(output[2].at("content").at(0).at("text"), "\n\nDone");
}

TEST(OutputWriter, TakesNoMoreThanItsLimits) {
    EventLog items;
    OutputWriter many_items(items);
    for (std::size_t i = 0; i < kOutputItemsMax / 2; ++i) {
        many_items.reasoning("a");
        many_items.text("b");
    }
    EXPECT_FALSE(many_items.overflowed());
    many_items.reasoning("a");
    EXPECT_TRUE(many_items.overflowed());
    many_items.text("b");
    many_items.tool_call(call(0, "a", "n", "{}"));
    EXPECT_EQ(items.items().size(), kOutputItemsMax);

    EventLog parts;
    OutputWriter many_parts(parts);
    for (std::size_t i = 0; i < kOutputPartsMax / 2; ++i) {
        many_parts.text("a");
        many_parts.refusal("b");
    }
    EXPECT_FALSE(many_parts.overflowed());
    many_parts.text("c");
    EXPECT_TRUE(many_parts.overflowed());
    EXPECT_EQ(parts.items().at(0).parts.size(), kOutputPartsMax);
    ResponseEnd end;
    end.status = RunStatus::failed;
    close_log(parts, end);
    EXPECT_EQ(end.output.at(0).parts.size(), kOutputPartsMax);
}

// What a crash leaves: any beginning of the log. It is closed, and then tells a whole story again.
TEST(OutputWriter, AnyBeginningOfALogCanBeClosed) {
    const Story story(kEverything);
    for (Sequence durable = 3; durable < story.log.size(); ++durable) {
        EventLog log;
        ASSERT_TRUE(log.append_records(story.log.records(0, durable)));
        if (log.at(durable - 1).kind == EventKind::finished) {
            continue;
        }
        ResponseEnd end;
        end.status = RunStatus::incomplete;
        end.incomplete_reason = "interrupted";
        close_log(log, end);
        for (const LoggedItem& item : log.items()) {
            ASSERT_FALSE(item.is_open());
        }
        ASSERT_EQ(log.at(log.size() - 1).kind, EventKind::finished);
        const Lines again = render_all({story.facts, end}, log, 0);
        for (Sequence i = 0; i < durable; ++i) {
            const EventKind kind = log.at(i).kind;
            if (kind != EventKind::arguments_done && kind != EventKind::item_done) {  // a lost signature, a status
                ASSERT_EQ(again[static_cast<std::size_t>(i)], story.live[static_cast<std::size_t>(i)]) << durable;
            }
        }
    }
}

}  // namespace
}  // namespace confab::chat
