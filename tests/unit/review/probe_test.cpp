// The visitor's connection and the scripted model server, against each other.
#include <gmock/gmock.h>

#include "review/http_probe.hpp"
#include "review/scripted_model.hpp"
#include "support/run_task.hpp"

namespace confab::review {
namespace {

using namespace std::chrono_literals;
using net::Task;

TEST(Endpoint, IsReadFromAUrl) {
    const auto plain = parse_endpoint("http://127.0.0.1:8000");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->host, "127.0.0.1");
    EXPECT_EQ(plain->port, 8000);
    EXPECT_EQ(plain->base_path, "");
    EXPECT_EQ(parse_endpoint("http://chat.local/api/v1/")->base_path, "/api");
    EXPECT_EQ(parse_endpoint("http://chat.local")->port, 80);
    EXPECT_EQ(parse_endpoint("http://[::1]:9000/v1")->host, "::1");
    EXPECT_EQ(parse_endpoint("http://[::1]:9000/v1")->port, 9000);
}

TEST(Endpoint, WhatIsNoneSaysWhy) {
    for (const char* wrong : {"", "ftp://x", "127.0.0.1:8000", "http://", "http://x:", "http://x:0", "http://x:99999", "http://x:12a", "http://a b",
                              "http://x/\r\nInjected: yes"}) {
        EXPECT_FALSE(parse_endpoint(wrong)) << wrong;
    }
    EXPECT_THAT(parse_endpoint("https://x").error().message, testing::HasSubstr("TLS"));
}

TEST(Script, IsTheModelsName) {
    const Script script = Script::of_model("review-n40-i25-s7");
    EXPECT_EQ(script.pieces, 40);
    EXPECT_EQ(script.interval_ms, 25);
    EXPECT_EQ(script.piece_bytes, 7);
    EXPECT_EQ(script.model(), "review-n40-i25-s7");
    EXPECT_EQ(Script::of_model("something").pieces, Script().pieces);
    EXPECT_EQ(Script::of_model("review-n99999999999999-s99999999").pieces, 100'000);
    EXPECT_EQ(Script::of_model("review-n1-s99999999").piece_bytes, 64 * 1024);
}

Ask question(const std::string& model, bool stream) {
    Ask ask;
    ask.method = "POST";
    ask.target = "/v1/chat/completions";
    ask.text_marker = "content\":";
    ask.text_follows = true;
    ask.keep_bytes = 1 << 20;
    ask.body = R"({"model":")" + model + R"(","stream":)" + (stream ? "true" : "false") + "}";
    return ask;
}

struct Told {
    base::Result<Heard> streamed;
    base::Result<Heard> whole;
    base::Result<Heard> models;
    int opened = 0;
    std::uint64_t live_while_sending = 0;
    std::uint64_t live_after_leaving = 99;
    base::Result<Heard> late;
    ModelCounts counts;
};

Task<Told> converse(net::asio::io_context& loop) {
    ScriptedModel model(loop.get_executor());
    model.start();
    Told told;
    const Endpoint endpoint = *parse_endpoint(model.base_url());
    HttpProbe visitor(loop.get_executor(), endpoint);
    told.streamed = co_await visitor.ask(question("review-n10-i20-s3", true), 20s);
    told.whole = co_await visitor.ask(question("review-n10-i20-s3", false), 20s);
    Ask list;
    list.target = "/v1/models";
    told.models = co_await visitor.ask(list, 20s);
    told.opened = visitor.connections_opened();
    {
        HttpProbe impatient(loop.get_executor(), endpoint);
        (void)co_await impatient.send_only(question("review-n200-i20-s3", true), 20s);
        co_await net::sleep_for(100ms);
        told.live_while_sending = model.counts().answers_live;
    }
    co_await net::sleep_for(500ms);
    told.live_after_leaving = model.counts().answers_live;
    HttpProbe waiting(loop.get_executor(), endpoint);
    told.late = co_await waiting.ask(question("review-n10-i1000-s3", false), 1s);
    told.counts = model.counts();
    co_await model.close();
    co_return told;
}

TEST(HttpProbe, NotesWhatCameWhenAndSeesItsConnectionReused) {
    net::asio::io_context loop;
    std::optional<Told> told;
    net::asio::co_spawn(loop, converse(loop), [&](std::exception_ptr failure, Told result) {
        if (failure) {
            std::rethrow_exception(failure);
        }
        told = std::move(result);
    });
    loop.run();
    ASSERT_TRUE(told && told->streamed && told->whole && told->models);
    EXPECT_EQ(told->streamed->status, 200U);
    EXPECT_GT(told->streamed->whole_ms, 150);
    EXPECT_GT(told->streamed->first_text_ms, 0);
    EXPECT_LT(told->streamed->first_text_ms, told->streamed->whole_ms / 2);
    EXPECT_THAT(told->streamed->body, testing::HasSubstr("data: [DONE]"));
    EXPECT_GT(told->whole->whole_ms, 150);
    EXPECT_NEAR(told->whole->first_text_ms, told->whole->whole_ms, 20);
    EXPECT_THAT(told->models->body, testing::HasSubstr("max_model_len"));
    EXPECT_EQ(told->opened, 1);
    EXPECT_EQ(told->live_while_sending, 1U);
    EXPECT_EQ(told->live_after_leaving, 0U);  // whoever leaves is noticed
    ASSERT_FALSE(told->late);
    EXPECT_EQ(told->late.error().errc, base::Errc::upstream_timeout);
    EXPECT_EQ(told->counts.connections_opened, 3U);
    EXPECT_EQ(told->counts.answers, 4U);
}

}  // namespace
}  // namespace confab::review
