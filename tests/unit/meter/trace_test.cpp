#include "meter/trace.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/json.hpp"
#include "meter/otlp.hpp"

namespace confab::meter {
namespace {

constexpr const char* kGood = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(Traceparent, is_read_and_written) {
    const auto context = parse_traceparent(kGood);
    ASSERT_TRUE(context);
    EXPECT_TRUE(context->sampled);
    EXPECT_EQ(context->trace[0], 0x0A);
    EXPECT_EQ(context->span[7], 0x31);
    EXPECT_EQ(render_traceparent(*context), kGood);
    const auto unsampled = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02");
    ASSERT_TRUE(unsampled);
    EXPECT_FALSE(unsampled->sampled);
    EXPECT_TRUE(parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-will-be"));
}

TEST(Traceparent, is_refused_when_malformed) {
    for (const char* text :
         {"",
          "00",
          "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
          "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
          "00-00000000000000000000000000000000-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
          "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
          "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0"}) {
        EXPECT_FALSE(parse_traceparent(text)) << text;
    }
}

TEST(Tracer, keeps_the_callers_decision_and_samples_its_share_of_the_rest) {
    Tracer none(0);
    Tracer all(1);
    Tracer half(0.5);
    auto caller = parse_traceparent(kGood);
    const TraceContext followed = none.begin(caller);
    EXPECT_TRUE(followed.sampled);
    EXPECT_EQ(followed.trace, caller->trace);
    EXPECT_NE(followed.span, caller->span);
    caller->sampled = false;
    EXPECT_FALSE(all.begin(caller).sampled);
    int sampled = 0;
    for (int i = 0; i < 1'000; ++i) {
        EXPECT_FALSE(none.begin(std::nullopt).sampled);
        EXPECT_TRUE(all.begin(std::nullopt).sampled);
        sampled += half.begin(std::nullopt).sampled ? 1 : 0;
    }
    EXPECT_GT(sampled, 350);
    EXPECT_LT(sampled, 650);
    EXPECT_NE(all.begin(std::nullopt).trace, all.begin(std::nullopt).trace);
}

TEST(Tracer, keeps_a_bounded_number_of_spans_and_counts_the_rest) {
    Tracer tracer(1);
    for (std::size_t i = 0; i < Tracer::kSpansMax + 3; ++i) {
        Span span;
        span.attributes.push_back({"n", static_cast<std::int64_t>(i)});
        tracer.record(std::move(span));
    }
    EXPECT_EQ(tracer.waiting(), Tracer::kSpansMax);
    EXPECT_EQ(tracer.dropped.value(), 3U);
    const auto taken = tracer.take(10);
    ASSERT_EQ(taken.size(), 10U);
    EXPECT_EQ(std::get<std::int64_t>(taken[9].attributes[0].value), 9);
    EXPECT_EQ(tracer.take(Tracer::kSpansMax).size(), Tracer::kSpansMax - 10);
    EXPECT_TRUE(tracer.take(1).empty());
}

TEST(Otlp, is_what_the_protocol_says) {
    const auto context = parse_traceparent(kGood);
    Span span;
    span.name = "turn";
    span.trace = context->trace;
    span.id = context->span;
    span.begin = std::chrono::steady_clock::now() - std::chrono::seconds(2);
    span.end = span.begin + std::chrono::milliseconds(1'500);
    span.failed = true;
    span.attributes.push_back({"number", std::int64_t{7}});
    span.attributes.push_back({"text", std::string("a \"word\"")});
    const std::vector<Span> spans{span};
    const auto parsed = base::parse_json(render_otlp(spans, "1.2.3", "me"));
    ASSERT_TRUE(parsed);
    const auto& resource = parsed->at("resourceSpans").at(0);
    EXPECT_EQ(resource.at("resource").at("attributes").at(0).at("value").at("stringValue"), "confab");
    EXPECT_EQ(resource.at("resource").at("attributes").at(1).at("value").at("stringValue"), "1.2.3");
    const auto& shown = resource.at("scopeSpans").at(0).at("spans").at(0);
    EXPECT_EQ(shown.at("traceId"), "0af7651916cd43dd8448eb211c80319c");
    EXPECT_EQ(shown.at("spanId"), "b7ad6b7169203331");
    EXPECT_FALSE(shown.as_object().contains("parentSpanId"));
    EXPECT_EQ(shown.at("name"), "turn");
    EXPECT_EQ(shown.at("kind"), 1);
    EXPECT_EQ(shown.at("status").at("code"), 2);
    EXPECT_EQ(shown.at("attributes").at(0).at("value").at("intValue"), "7");
    EXPECT_EQ(shown.at("attributes").at(1).at("value").at("stringValue"), "a \"word\"");
    const auto begin = std::stoll(std::string(shown.at("startTimeUnixNano").as_string()));
    const auto end = std::stoll(std::string(shown.at("endTimeUnixNano").as_string()));
    EXPECT_NEAR(static_cast<double>(end - begin), 1.5e9, 1e8);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    EXPECT_NEAR(static_cast<double>(begin), static_cast<double>(std::chrono::nanoseconds(now).count()) - 2e9, 1e9);
}

}  // namespace
}  // namespace confab::meter
