// HttpClient against scripted servers on real sockets: every connection is answered by a list of raw answers.
#include "net/http_client.hpp"

#include <atomic>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/plain_http.hpp"
#include "net/shard.hpp"
#include "net/task_group.hpp"

namespace confab::net {
namespace {

using namespace std::chrono_literals;

// Serves connections one after the other, each with its list of answers; an answer is sent when a request's head and
// body have come. After its last answer a connection is closed, or kept open until the client closes.
class ScriptedServer {
public:
    struct Connection {
        std::vector<std::string> answers;
        std::size_t piece_bytes = 0;  // 0: an answer in one write
        bool close_first = false;     // after the answers; else the client closes
        std::chrono::milliseconds answers_after{0};
    };

    explicit ScriptedServer(std::vector<Connection> script) : script_(std::move(script)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        socklen_t length = sizeof address;
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
        port_ = ntohs(address.sin_port);
        EXPECT_EQ(::listen(listener_, 16), 0);
        thread_ = std::thread([this] { serve(); });
    }

    ~ScriptedServer() {
        ::shutdown(listener_, SHUT_RDWR);
        if (const int fd = current_; fd >= 0) {
            ::shutdown(fd, SHUT_RDWR);  // a client keeps its connection
        }
        thread_.join();
        ::close(listener_);
    }

    std::string url(std::string_view path = "/v1/x") const {
        return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
    }

    int accepted() const { return accepted_; }

    bool peer_closed() const { return peer_closed_; }

    std::string requests() {
        const std::lock_guard lock(mutex_);
        return requests_;
    }

private:
    void serve() {
        for (const Connection& script : script_) {
            const int fd = ::accept(listener_, nullptr, nullptr);
            if (fd < 0) {
                return;
            }
            ++accepted_;
            current_ = fd;
            for (const std::string& answer : script.answers) {
                if (!read_request(fd)) {
                    break;
                }
                std::this_thread::sleep_for(script.answers_after);
                send_answer(fd, answer, script.piece_bytes);
            }
            char byte = 0;
            if (!script.close_first) {
                while (::recv(fd, &byte, 1, 0) > 0) {
                }
                peer_closed_ = true;
            }
            current_ = -1;
            ::close(fd);
        }
    }

    bool read_request(int fd) {
        std::string got;
        std::size_t whole = std::string::npos;
        while (got.size() < whole) {
            char buffer[4096];
            const auto count = ::recv(fd, buffer, sizeof buffer, 0);
            if (count <= 0) {
                return false;
            }
            got.append(buffer, static_cast<std::size_t>(count));
            const auto head = got.find("\r\n\r\n");
            if (head != std::string::npos && whole == std::string::npos) {
                const auto at = got.find("Content-Length: ");
                whole = head + 4 + (at < head ? std::stoul(got.substr(at + 16)) : 0);
            }
        }
        const std::lock_guard lock(mutex_);
        requests_ += got;
        return true;
    }

    static void send_answer(int fd, std::string_view answer, std::size_t piece_bytes) {
        const std::size_t step = piece_bytes == 0 ? answer.size() : piece_bytes;
        while (!answer.empty()) {
            const auto sent = ::send(fd, answer.data(), std::min(step, answer.size()), MSG_NOSIGNAL);
            if (sent <= 0) {
                return;
            }
            answer.remove_prefix(static_cast<std::size_t>(sent));
            if (piece_bytes != 0) {
                std::this_thread::sleep_for(200us);
            }
        }
    }

    std::vector<Connection> script_;
    int listener_ = -1;
    int port_ = 0;
    std::atomic<int> accepted_ = 0;
    std::atomic<int> current_ = -1;
    std::atomic<bool> peer_closed_ = false;
    std::mutex mutex_;
    std::string requests_;
    std::thread thread_;
};

class Collector : public HttpSink {
public:
    void on_head(const HttpHead& head) override {
        ++heads;
        status = head.status;
    }

    Flow on_body(std::string_view bytes) override {
        if (pauses > 0) {
            --pauses;
            return Flow::pause;
        }
        body += bytes;
        return body.size() >= finish_at ? Flow::finish : Flow::go_on;
    }

    void on_read_end() override { ++reads; }

    std::string body;
    std::size_t finish_at = std::string::npos;
    int heads = 0;
    int pauses = 0;
    int reads = 0;
    unsigned status = 0;
};

class HttpClientTest : public ::testing::Test {
protected:
    HttpClientTest() { shard_.ticker().start(); }

    ~HttpClientTest() override { shard_.ticker().stop(); }

    HttpRequest request(const std::string& url, std::string body = "{}") {
        HttpRequest request;
        request.method = "POST";
        request.url = url;
        request.headers = {"Content-Type: application/json"};
        request.body = std::move(body);
        return request;
    }

    // Runs the shard's loop until the task has ended.
    template <class T>
    T run(Task<T> task) {
        std::optional<T> result;
        asio::co_spawn(shard_.executor(), std::move(task), [&](std::exception_ptr failure, T value) {
            if (failure) {
                std::rethrow_exception(failure);
            }
            result.emplace(std::move(value));
        });
        auto& context = shard_.executor().context();
        context.restart();
        const auto until = std::chrono::steady_clock::now() + 30s;
        while (!result && std::chrono::steady_clock::now() < until) {
            context.run_one_until(until);
        }
        if (!result) {
            throw std::runtime_error("the task hangs");
        }
        return *std::move(result);
    }

    base::Result<HttpHead> send(HttpRequest request, Collector& sink) {
        return run(exchange(std::move(request), sink));
    }

    Task<base::Result<HttpHead>> exchange(HttpRequest request, Collector& sink) {
        HttpCall call(client_, std::move(request), sink);
        co_return co_await call.send();
    }

    Shard shard_{0};
    HttpClient client_{shard_};
};

const std::string kChunked =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n7;name=value\r\n, world\r\n0\r\nTrailer: x\r\n\r\n";
const std::string kSized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

TEST_F(HttpClientTest, ReadsAChunkedAnswerCutAtEveryByte) {
    ScriptedServer server({{{kChunked}, 1}});
    Collector sink;
    const auto head = send(request(server.url()), sink);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->status, 200U);
    EXPECT_EQ(head->content_type, "text/event-stream");
    EXPECT_EQ(sink.body, "hello, world");
    EXPECT_EQ(sink.heads, 1);
}

TEST_F(HttpClientTest, HandsOverWhatOneReadBroughtBeforeItSaysSo) {
    ScriptedServer server({{{kChunked}}});
    Collector sink;
    ASSERT_TRUE(send(request(server.url()), sink));
    EXPECT_EQ(sink.reads, 1);
}

TEST_F(HttpClientTest, KeepsAConnectionForTheNextRequest) {
    ScriptedServer server({{{kChunked, kSized, kSized}}});
    for (int i = 0; i < 3; ++i) {
        Collector sink;
        ASSERT_TRUE(send(request(server.url()), sink));
    }
    EXPECT_EQ(server.accepted(), 1);
    EXPECT_EQ(client_.counters().connections_opened, 1U);
    EXPECT_EQ(client_.counters().connections_reused, 2U);
}

TEST_F(HttpClientTest, AsksAgainWhenAKeptConnectionTurnsOutToBeDead) {
    ScriptedServer server({{{kSized}, 0, true}, {{kSized}}});
    Collector first;
    ASSERT_TRUE(send(request(server.url()), first));
    std::this_thread::sleep_for(20ms);  // the close arrives; this client has not looked yet
    Collector second;
    ASSERT_TRUE(send(request(server.url()), second));
    EXPECT_EQ(second.body, "hello");
    EXPECT_EQ(server.accepted(), 2);
}

TEST_F(HttpClientTest, AnAnswerWithoutALengthEndsWithItsConnection) {
    ScriptedServer server({{{"HTTP/1.0 200 OK\r\n\r\nall of it"}, 3, true}});
    Collector sink;
    ASSERT_TRUE(send(request(server.url()), sink));
    EXPECT_EQ(sink.body, "all of it");
}

// Sockets report changes: an end that came before anybody looked is not reported again.
TEST_F(HttpClientTest, AnAnswerAndItsEndMayBeThereAtTheFirstLook) {
    for (const auto& [answer, body] :
         {std::pair{"HTTP/1.0 200 OK\r\n\r\n" + std::string(1'000'000, 'x'), std::string(1'000'000, 'x')},
          std::pair{std::string("HTTP/1.0 200 OK\r\n\r\nshort"), std::string("short")},
          std::pair{kSized, std::string("hello")}}) {
        ScriptedServer server({{{answer}, 0, true, 20ms}, {{kSized}}});
        Collector sink;
        auto late = [&]() -> Task<base::Result<HttpHead>> {
            TaskGroup group(shard_.executor(), "busy");
            auto busy = []() -> Task<void> {
                co_await sleep_for(5ms);
                std::this_thread::sleep_for(100ms);  // the whole loop: all has come when it looks again
            };
            group.spawn(busy());
            auto head = co_await exchange(request(server.url()), sink);
            co_await group.join();
            co_return head;
        };
        ASSERT_TRUE(run(late()));
        EXPECT_EQ(sink.body, body);
        Collector second;
        ASSERT_TRUE(send(request(server.url()), second)) << "the dead connection was not kept";
    }
    EXPECT_EQ(client_.counters().connections_reused, 0U);
}

TEST_F(HttpClientTest, SkipsInterimAnswers) {
    ScriptedServer server({{{"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + kSized}, 7}});
    Collector sink;
    const auto head = send(request(server.url()), sink);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->status, 200U);
    EXPECT_EQ(sink.body, "hello");
}

TEST_F(HttpClientTest, ABrokenAnswerIsAnError) {
    for (const std::string answer :
         {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
          "SSH-2.0-OpenSSH_9.2\r\n",
          "HTTP/1.1 200",
          ""}) {
        ScriptedServer server({{{answer}, 0, true}});
        Collector sink;
        const auto head = send(request(server.url()), sink);
        ASSERT_FALSE(head) << answer;
        EXPECT_EQ(head.error().code, "upstream_disconnected") << answer;
    }
}

TEST_F(HttpClientTest, AHeadOfMoreThan64KiBIsAnError) {
    ScriptedServer server({{{"HTTP/1.1 200 OK\r\nX-Long: " + std::string(70'000, 'x') + "\r\n\r\n"}, 0, true}});
    Collector sink;
    EXPECT_FALSE(send(request(server.url()), sink));
}

TEST_F(HttpClientTest, SendsABodyThatDoesNotFitTheSocket) {
    ScriptedServer server({{{kSized}}});
    const std::string body(20'000'000, 'b');
    Collector sink;
    ASSERT_TRUE(send(request(server.url("/v1/chat?x=1"), body), sink));
    const std::string seen = server.requests();
    EXPECT_TRUE(seen.starts_with("POST /v1/chat?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
    EXPECT_TRUE(seen.ends_with("\r\n\r\n" + body));
}

TEST_F(HttpClientTest, FinishLetsTheConnectionBeUsedAgain) {
    ScriptedServer server({{{kChunked, kSized}}});
    Collector sink;
    sink.finish_at = 5;  // the rest of the answer is drained
    ASSERT_TRUE(send(request(server.url()), sink));
    EXPECT_EQ(sink.body, "hello");
    auto wait = []() -> Task<bool> {
        co_await sleep_for(50ms);
        co_return true;
    };
    run(wait());
    Collector second;
    ASSERT_TRUE(send(request(server.url()), second));
    EXPECT_EQ(server.accepted(), 1);
}

TEST_F(HttpClientTest, NothingIsLostOrDoubledAcrossAPause) {
    std::string answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    std::string whole;
    for (int i = 0; i < 500; ++i) {
        const std::string piece = std::to_string(i) + " " + std::string(200, 'p');
        whole += piece;
        char size[16];
        std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
        answer += size + piece + "\r\n";
    }
    ScriptedServer server({{{answer + "0\r\n\r\n"}}});
    Collector sink;
    sink.pauses = 3;
    auto exchange = [&]() -> Task<base::Result<HttpHead>> {
        HttpCall call(client_, request(server.url()), sink);
        TaskGroup group(shard_.executor(), "resume");
        auto resume = [&]() -> Task<void> {
            for (int i = 0; i < 6; ++i) {
                co_await sleep_for(20ms);
                call.resume();
            }
        };
        group.spawn(resume());
        auto head = co_await call.send();
        group.cancel();
        co_await group.join();
        co_return head;
    };
    ASSERT_TRUE(run(exchange()));
    EXPECT_EQ(sink.pauses, 0);
    EXPECT_EQ(sink.body, whole);
}

TEST_F(HttpClientTest, CancelClosesTheSocketAtOnce) {
    ScriptedServer server({{{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"}}});
    Collector sink;
    auto exchange = [&]() -> Task<base::Result<HttpHead>> {
        HttpCall call(client_, request(server.url()), sink);
        TaskGroup group(shard_.executor(), "cancel");
        auto cancel = [&]() -> Task<void> {
            while (sink.body.empty()) {
                co_await sleep_for(5ms);
            }
            call.cancel();
        };
        group.spawn(cancel());
        auto head = co_await call.send();
        co_await group.join();
        co_return head;
    };
    const auto head = run(exchange());
    ASSERT_FALSE(head);
    EXPECT_EQ(head.error().errc, base::Errc::cancelled);
    for (int i = 0; i < 200 && !server.peer_closed(); ++i) {
        std::this_thread::sleep_for(5ms);
    }
    EXPECT_TRUE(server.peer_closed());
}

TEST_F(HttpClientTest, NobodyListeningIsUnreachable) {
    std::string url;
    {
        ScriptedServer server({});
        url = server.url();
    }
    Collector sink;
    const auto head = send(request(url), sink);
    ASSERT_FALSE(head);
    EXPECT_EQ(head.error().code, "upstream_unreachable");
}

TEST(PlainUrl, TakesOnlyWhatItUnderstands) {
    const auto url = parse_plain_url("http://model:8000/v1/chat/completions?a=b");
    ASSERT_TRUE(url);
    EXPECT_EQ(url->origin, "model:8000");
    EXPECT_EQ(url->host, "model:8000");
    EXPECT_EQ(url->target, "/v1/chat/completions?a=b");
    EXPECT_EQ(parse_plain_url("http://model")->origin, "model:80");
    EXPECT_EQ(parse_plain_url("http://model")->target, "/");
    EXPECT_EQ(parse_plain_url("http://model?x")->target, "/?x");
    EXPECT_EQ(parse_plain_url("http://[::1]:8000/v1")->origin, "[::1]:8000");
    EXPECT_EQ(parse_plain_url("http://[::1]/v1")->origin, "[::1]:80");
    for (const std::string_view bad :
         {"https://model/v1",
          "http://",
          "http:///v1",
          "http://user:secret@model/v1",
          "http://model:/v1",
          "http://model:80a/",
          "http://mo del/",
          "http://model/\r\nX: y",
          "http://model/#part",
          "ftp://model/"}) {
        EXPECT_FALSE(parse_plain_url(bad)) << bad;
    }
}

}  // namespace
}  // namespace confab::net
