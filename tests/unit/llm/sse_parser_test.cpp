#include "llm/sse_parser.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace confab::llm {
namespace {

class Collector final : public SseHandler {
public:
    Next on_event(const SseEvent& event) override {
        seen.push_back(std::string(event.type) + "|" + std::string(event.data));
        last_data = event.data;
        return event.data == stop_at ? Next::stop : Next::more;
    }

    void on_comment(std::string_view text) override { comments.emplace_back(text); }

    std::vector<std::string> seen;
    std::vector<std::string> comments;
    std::string_view last_data;  // only its address is looked at
    std::string stop_at = "never";
};

using Seen = std::vector<std::string>;

Seen parse(std::string_view bytes) {
    Collector whole;
    SseParser parser;
    EXPECT_TRUE(parser.feed(bytes, whole));
    EXPECT_TRUE(parser.finish(whole));
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        Collector pieces;
        SseParser cutting;
        for (const std::string_view piece : {bytes.substr(0, cut), bytes.substr(cut)}) {
            const std::string copy(piece);
            EXPECT_TRUE(cutting.feed(copy, pieces));
        }
        EXPECT_TRUE(cutting.finish(pieces));
        EXPECT_EQ(pieces.seen, whole.seen) << "cut at " << cut;
        EXPECT_EQ(pieces.comments, whole.comments) << "cut at " << cut;
    }
    return whole.seen;
}

TEST(SseParser, reads_the_three_kinds_of_line_end) {
    const Seen two{"|a", "|b"};
    EXPECT_EQ(parse("data: a\n\ndata: b\n\n"), two);
    EXPECT_EQ(parse("data: a\r\n\r\ndata: b\r\n\r\n"), two);
    EXPECT_EQ(parse("data: a\r\rdata: b\r\r"), two);
    EXPECT_EQ(parse("data: a\r\n\ndata: b\n\r\n"), two);
}

TEST(SseParser, delivers_an_event_that_ends_in_a_lone_cr_without_waiting) {
    Collector handler;
    SseParser parser;
    ASSERT_TRUE(parser.feed("data: a\r\r", handler));
    EXPECT_EQ(handler.seen, Seen{"|a"});
    ASSERT_TRUE(parser.feed("\ndata: b\n\n", handler));
    EXPECT_EQ(handler.seen, (Seen{"|a", "|b"}));
}

TEST(SseParser, follows_the_examples_of_the_standard) {
    EXPECT_EQ(parse("data: YHOO\ndata: +2\ndata: 10\n\n"), Seen{"|YHOO\n+2\n10"});
    EXPECT_EQ(parse("data:test\n\ndata: test\n\n"), (Seen{"|test", "|test"}));
    EXPECT_EQ(parse("data:  two spaces\n\n"), Seen{"| two spaces"});
    EXPECT_EQ(parse("event: add\ndata: 1\n\ndata: 2\n\n"), (Seen{"add|1", "|2"}));
    EXPECT_EQ(parse("id\nretry: 5\nnonsense: x\ndata: a: b\n\n"), Seen{"|a: b"});
    EXPECT_EQ(parse("data\ndata\n\n"), Seen{"|\n"});
    EXPECT_EQ(parse("event: x\r\ndata: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n"), (Seen{"x|a\nb", "|c"}));
}

TEST(SseParser, skips_events_without_data) {
    EXPECT_EQ(parse("event: ping\n\ndata:\n\ndata: x\n\n"), Seen{"|x"});
    EXPECT_EQ(parse("event: ping\n\ndata\n\n\n\n"), Seen{});
}

TEST(SseParser, drops_one_byte_order_mark_at_the_start_only) {
    EXPECT_EQ(
        parse("\xEF\xBB\xBF"
              "data: a\n\n"),
        Seen{"|a"}
    );
    EXPECT_EQ(
        parse("\xEF\xBB\xBF\xEF\xBB\xBF"
              "data: a\n\ndata: b\n\n"),
        Seen{"|b"}
    );
    EXPECT_EQ(parse("data: \xEF\xBB\xBF\n\n"), Seen{"|\xEF\xBB\xBF"});
}

TEST(SseParser, reports_comments) {
    Collector handler;
    SseParser parser;
    ASSERT_TRUE(parser.feed(": OPENROUTER PROCESSING\n:\ndata: a\n\n", handler));
    EXPECT_EQ(handler.comments, (Seen{" OPENROUTER PROCESSING", ""}));
    EXPECT_EQ(handler.seen, Seen{"|a"});
}

TEST(SseParser, takes_an_error_field_for_an_error_event) {
    EXPECT_EQ(parse("error: {\"code\":500}\n\n"), Seen{"error|{\"code\":500}"});
}

TEST(SseParser, delivers_what_is_pending_at_the_end) {
    EXPECT_EQ(parse("data: a\n\ndata: b\n"), (Seen{"|a", "|b"}));
    EXPECT_EQ(parse("data: a\n\ndata: b"), (Seen{"|a", "|b"}));
    EXPECT_EQ(parse(""), Seen{});
}

TEST(SseParser, stops_when_the_handler_says_so) {
    Collector handler;
    handler.stop_at = "[DONE]";
    SseParser parser;
    ASSERT_TRUE(parser.feed("data: a\n\ndata: [DONE]\n\ndata: b\n\n", handler));
    EXPECT_TRUE(parser.stopped());
    ASSERT_TRUE(parser.feed("data: c\n\n", handler));
    ASSERT_TRUE(parser.finish(handler));
    EXPECT_EQ(handler.seen, (Seen{"|a", "|[DONE]"}));
}

TEST(SseParser, hands_on_views_into_the_buffer_when_an_event_lies_within_it) {
    Collector handler;
    SseParser parser;
    const std::string bytes = "data: abc\n\n";
    ASSERT_TRUE(parser.feed(bytes, handler));
    EXPECT_EQ(handler.last_data.data(), bytes.data() + 6);
    EXPECT_LT(parser.bytes_held(), 100U);
}

TEST(SseParser, refuses_a_line_and_an_event_above_the_cap) {
    const std::string at_cap = "data: " + std::string(58, 'x') + "\n\n";  // the line has 64 bytes
    const std::string line = "data: " + std::string(59, 'x') + "\n\n";
    std::string event;
    for (int i = 0; i < 10; ++i) {
        event += "data: 1234567\n";
    }
    for (const std::size_t piece : {1U, 7U, 1000U}) {
        for (const auto& [bytes, fits] : {std::pair(at_cap, true), std::pair(line, false), std::pair(event, false)}) {
            Collector handler;
            SseParser parser(64);
            bool accepted = true;
            for (std::size_t i = 0; i < bytes.size() && accepted; i += piece) {
                const auto fed = parser.feed(std::string_view(bytes).substr(i, piece), handler);
                accepted = fed.has_value();
                EXPECT_TRUE(accepted || fed.error().errc == base::Errc::too_large);
            }
            EXPECT_EQ(accepted, fits) << bytes << " by " << piece;
            EXPECT_EQ(handler.seen.size(), fits ? 1U : 0U);
            EXPECT_EQ(parser.stopped(), !fits);
            EXPECT_LT(parser.bytes_held(), 512U);
        }
    }
}

TEST(SseParser, gives_back_the_memory_of_a_large_event) {
    Collector handler;
    SseParser parser;
    ASSERT_TRUE(parser.feed("data: " + std::string(1 << 20, 'x'), handler));
    EXPECT_GT(parser.bytes_held(), std::size_t{1} << 20);
    ASSERT_TRUE(parser.feed("\n\n", handler));
    EXPECT_EQ(handler.seen.size(), 1U);
    EXPECT_LT(parser.bytes_held(), 64U * 1024);
}

// Quadratic behaviour would take minutes here; the bound leaves room for sanitizers and slow machines.
TEST(SseParser, reads_a_million_empty_lines_in_linear_time) {
    for (const std::string_view line : {"data:\n", "data:\r", "data:\r\n", "data:\n\n", ":\n", "x\n", "\r"}) {
        std::string bytes;
        for (int i = 0; i < 1'000'000; ++i) {
            bytes += line;
        }
        Collector handler;
        SseParser parser;
        const auto begin = std::chrono::steady_clock::now();
        ASSERT_TRUE(parser.feed(bytes, handler));
        ASSERT_TRUE(parser.finish(handler));
        EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
    }
}

}  // namespace
}  // namespace confab::llm
