#include "chat/event_json.hpp"

#include <gmock/gmock.h>

#include "base/json.hpp"
#include "unit/chat/sse_data.hpp"

namespace confab::chat {
namespace {

namespace json = base::json;

ResponseFacts facts() {
    ResponseFacts result;
    result.id = store::ResponseId::make();
    result.created_at = 1'700'000'000;
    result.model = "m\"1";
    result.request = R"({"instructions":null,"metadata":{}})";
    return result;
}

OutputItem message(const std::string& text, store::ItemStatus status = store::ItemStatus::completed) {
    OutputItem item;
    item.id = store::ItemId::make();
    item.status = status;
    item.parts.push_back({PartKind::text, text});
    return item;
}

json::object render(const ResponseFacts& facts, const ResponseEnd& end, EventKind kind, std::string_view payload = {}) {
    std::string text;
    Event event;
    event.kind = kind;
    event.payload = payload;
    EventRenderer(facts, end).render(text, 7, event);
    return data_of(text);
}

TEST(EventJson, ADeltaHasOneLineWhateverItsText) {
    const auto event = render(facts(), {}, EventKind::text_delta, "a\r\n\"b\"\xF0\x9F\x98\x80\x01");
    EXPECT_EQ(event.at("type"), "response.output_text.delta");
    EXPECT_EQ(event.at("sequence_number"), 7);
    EXPECT_EQ(event.at("delta"), "a\r\n\"b\"\xF0\x9F\x98\x80\x01");
}

TEST(EventJson, ACancelledAnswerEndsAsIncompleteWithItsStatus) {
    ResponseEnd end;
    end.status = store::RunStatus::cancelled;
    end.output = {message("half", store::ItemStatus::incomplete)};
    const auto event = render(facts(), end, EventKind::finished);
    EXPECT_EQ(event.at("type"), "response.incomplete");
    const auto& response = event.at("response").as_object();
    EXPECT_EQ(response.at("status"), "cancelled");
    EXPECT_EQ(response.at("output").at(0).at("status"), "incomplete");
    EXPECT_EQ(response.at("output").at(0).at("content").at(0).at("text"), "half");
}

TEST(EventJson, AFailureCarriesItsErrorFlatAndNested) {
    ResponseEnd end;
    end.status = store::RunStatus::failed;
    end.error_code = "upstream_error";
    end.error_message = "no";
    const auto error = render(facts(), end, EventKind::error);
    EXPECT_EQ(error.at("type"), "error");
    EXPECT_EQ(error.at("message"), "no");
    EXPECT_EQ(error.at("error").at("code"), "upstream_error");
    const auto failed = render(facts(), end, EventKind::finished);
    EXPECT_EQ(failed.at("type"), "response.failed");
    EXPECT_EQ(failed.at("response").at("error").at("message"), "no");
}

TEST(EventJson, TheFirstSnapshotOfABackgroundResponseIsQueued) {
    auto background = facts();
    background.background = true;
    EXPECT_EQ(render(background, {}, EventKind::created).at("response").at("status"), "queued");
    EXPECT_EQ(render(background, {}, EventKind::in_progress).at("response").at("status"), "in_progress");
}

TEST(EventJson, TheResponseRepeatsTheRequest) {
    std::string text;
    render_response(text, facts(), {});
    const auto response = base::parse_json(text).value().get_object();
    EXPECT_TRUE(response.contains("instructions"));
    EXPECT_TRUE(response.contains("metadata"));
    EXPECT_EQ(response.at("model"), "m\"1");
    EXPECT_TRUE(response.at("usage").is_null());
}

TEST(EventJson, TheTimingIsNullUntilItIsKnown) {
    std::string text;
    render_response(text, facts(), {});
    EXPECT_TRUE(base::parse_json(text)->at("timing").is_null());
    ResponseEnd end;
    end.status = store::RunStatus::completed;
    end.timing = store::RunTiming{100, 400, std::nullopt};
    text.clear();
    render_response(text, facts(), end);
    EXPECT_EQ(
        base::to_string(base::parse_json(text)->at("timing")),
        R"({"first_token_ms":100,"duration_ms":400,"tokens_per_second":null})"
    );
    end.timing->output_tokens = 100;
    text.clear();
    render_response(text, facts(), end);
    EXPECT_EQ(base::parse_json(text)->at("timing").at("tokens_per_second").as_double(), 333.33);
    end.timing->duration_ms = 100;  // everything at once
    text.clear();
    render_response(text, facts(), end);
    EXPECT_TRUE(base::parse_json(text)->at("timing").at("tokens_per_second").is_null());
}

}  // namespace
}  // namespace confab::chat
