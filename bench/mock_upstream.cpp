// mock_upstream: a fast, fake, OpenAI-compatible model server on 127.0.0.1.
//
//   mock_upstream [PORT] [THREADS]
//
// POST (any path; only the body matters)
//     "model":"mock-n<tokens>-i<ms between tokens>[-f<ms before the first>][-b]"
//         -b, only with i0: the whole answer in one write; otherwise every chunk is a write of its own, streams taking turns
//     "stream":true: role chunk, content chunks, finish chunk, usage chunk, [DONE]; else one small chat.completion document
// GET: a small list of models
//
// Every content chunk carries the time of its write (see loopback.hpp), so that a client on this machine knows how long each
// token was under way. HTTP/1.1 keep-alive, chunked streams, epoll; nothing is allocated per chunk.
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "loopback.hpp"

namespace confab::bench {
namespace {

// ---- what is sent ----

constexpr std::string_view kChunkHead =
    R"(data: {"id":"chatcmpl-Bench0123456789abcdefghijkl","object":"chat.completion.chunk",)"
    R"("created":1700000000,"model":"mock-model-2024","system_fingerprint":"fp_0123456789",)";

constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\nConnection: keep-alive\r\n"
    "X-Request-Id: req_0123456789abcdef\r\nOpenai-Processing-Ms: 3\r\nTransfer-Encoding: chunked\r\n\r\n";

constexpr std::string_view kModels =
    R"({"object":"list","data":[{"id":"mock-n64-i0","object":"model","created":1700000000,"owned_by":"mock"},)"
    R"({"id":"mock-n100-i20","object":"model","created":1700000000,"owned_by":"mock"},)"
    R"({"id":"mock-n32-i0-b","object":"model","created":1700000000,"owned_by":"mock","max_model_len":8192}]})";

constexpr std::string_view kCompletion =
    R"({"id":"chatcmpl-Bench0123456789abcdefghijkl","object":"chat.completion","created":1700000000,"model":"mock-model-2024",)"
    R"("choices":[{"index":0,"message":{"role":"assistant",)"
    R"("content":"Hello! This is a short fixed answer of the mock upstream, used to time a gateway.","refusal":null},)"
    R"("logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":17,"total_tokens":29},)"
    R"("system_fingerprint":"fp_0123456789"})";

std::string http_chunk(std::string_view data) {
    std::array<char, 16> size{};
    const auto end = std::to_chars(size.begin(), size.end(), data.size(), 16).ptr;
    return std::string(size.begin(), end).append("\r\n").append(data).append("\r\n");
}

std::string document(std::string_view body) {
    std::string reply = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: req_0123456789abcdef\r\nContent-Length: ";
    return reply.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
}

std::string choice_chunk(std::string_view delta, std::string_view finish_reason) {
    std::string data(kChunkHead);
    data.append(R"("choices":[{"index":0,"delta":)").append(delta).append(R"(,"logprobs":null,"finish_reason":)");
    return http_chunk(data.append(finish_reason).append("}],\"usage\":null}\n\n"));
}

std::string last_chunks(int tokens) {
    std::string usage(kChunkHead);
    usage += R"("choices":[],"usage":{"prompt_tokens":12,"completion_tokens":)" + std::to_string(tokens) + R"(,"total_tokens":)" +
             std::to_string(tokens + 12) + "}}\n\n";
    return choice_chunk("{}", R"("stop")") + http_chunk(usage) + http_chunk("data: [DONE]\n\n") + "0\r\n\r\n";
}

// The content chunk, whose time is written anew for every use.
class TokenChunk {
public:
    TokenChunk()
        : bytes_(choice_chunk(R"({"content":"T0000000000000000"})", "null")), digits_(bytes_.find("T0000000000000000") + 1) {}

    const std::string& stamped() {
        std::uint64_t time = now_ns();
        for (std::size_t i = kTokenChars - 1; i-- > 0; time >>= 4) {
            bytes_[digits_ + i] = "0123456789abcdef"[time & 15];
        }
        return bytes_;
    }

private:
    std::string bytes_;
    std::size_t digits_;
};

// ---- what is asked ----

struct Wish {
    int tokens = 64;
    int interval_ms = 0;
    int first_ms = 0;
    bool burst = false;
    bool stream = false;
};

int number_after(std::string_view text, std::string_view key, int otherwise) {
    const auto at = text.find(key);
    return at == std::string_view::npos ? otherwise : std::atoi(std::string(text.substr(at + key.size(), 9)).c_str());
}

bool asks_for_stream(std::string_view body) {
    constexpr std::string_view kKey = "\"stream\"";
    for (auto at = body.find(kKey); at != std::string_view::npos; at = body.find(kKey, at + 1)) {
        const auto value = body.find_first_not_of(" :", at + kKey.size());
        if (value != std::string_view::npos && body.substr(value).starts_with("true")) {
            return true;
        }
    }
    return false;
}

Wish parse_wish(std::string_view body) {
    Wish wish;
    wish.stream = asks_for_stream(body);
    const auto at = body.find("mock-n");
    if (at != std::string_view::npos) {
        const std::string_view model = body.substr(at, body.find('"', at) - at);
        wish.tokens = number_after(model, "-n", wish.tokens);
        wish.interval_ms = number_after(model, "-i", wish.interval_ms);
        wish.first_ms = number_after(model, "-f", wish.first_ms);
        wish.burst = model.find("-b") != std::string_view::npos;
    }
    return wish;
}

struct RequestHead {
    std::string_view method;
    std::size_t content_length = 0;
    bool chunked = false;
};

// `head` ends with the last header's line end.
RequestHead parse_head(std::string_view head) {
    RequestHead parsed;
    parsed.method = head.substr(0, head.find(' '));
    for (auto at = head.find("\r\n"); at + 2 < head.size(); at = head.find("\r\n", at + 2)) {
        const std::string_view line = head.substr(at + 2);
        if (::strncasecmp(line.data(), "content-length:", 15) == 0) {
            parsed.content_length = std::strtoull(line.data() + 15, nullptr, 10);
        } else if (::strncasecmp(line.data(), "transfer-encoding:", 18) == 0) {
            parsed.chunked = true;
        }
    }
    return parsed;
}

struct Body {
    std::string bytes;
    std::size_t used = 0;  // of the input
};

std::optional<Body> parse_chunked(std::string_view input) {
    Body body;
    for (;;) {
        const auto line_end = input.find("\r\n", body.used);
        if (line_end == std::string_view::npos) {
            return std::nullopt;
        }
        const std::size_t size = std::strtoull(input.data() + body.used, nullptr, 16);
        if (input.size() < line_end + 2 + size + 2) {
            return std::nullopt;
        }
        body.bytes += input.substr(line_end + 2, size);
        body.used = line_end + 2 + size + 2;
        if (size == 0) {
            return body;
        }
    }
}

// ---- the server ----

struct Connection {
    int descriptor = -1;
    std::uint32_t generation = 0;  // goes up at the end: timers of a connection that is gone are ignored
    std::string in;                // not parsed yet
    std::string out;               // did not fit the socket
    std::size_t out_sent = 0;
    bool streaming = false;
    Wish wish;
    int tokens_sent = 0;
};

struct Turn {
    std::uint64_t due = 0;
    std::size_t slot = 0;
    std::uint32_t generation = 0;
};

// One thread: its own listening socket (SO_REUSEPORT), its own connections.
class Loop {
public:
    explicit Loop(int port) : epoll_(::epoll_create1(EPOLL_CLOEXEC)), timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)) {
        listener_ = open_socket();
        const int on = 1;
        ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        ::setsockopt(listener_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
        const sockaddr_in address = loopback(port);
        if (::bind(listener_, generic(address), sizeof address) != 0 || ::listen(listener_, 4096) != 0) {
            std::perror("mock_upstream: listen");
            std::exit(1);
        }
        watch(listener_, kListener, EPOLL_CTL_ADD, EPOLLIN);
        watch(timer_, kTimer, EPOLL_CTL_ADD, EPOLLIN);
    }

    [[noreturn]] void run() {
        std::vector<epoll_event> events(1024);
        for (;;) {
            arm_timer();
            const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), unpaced_.empty() ? -1 : 0);
            for (int i = 0; i < count; ++i) {
                serve(events[static_cast<std::size_t>(i)]);
            }
            send_due_tokens();
            send_unpaced_tokens();
        }
    }

private:
    static constexpr std::uint64_t kListener = ~0ULL;
    static constexpr std::uint64_t kTimer = ~1ULL;
    static constexpr std::size_t kUnsentMax = 256 * 1024;

    void watch(int descriptor, std::uint64_t tag, int operation, std::uint32_t events) const {
        epoll_event event{};
        event.events = events;
        event.data.u64 = tag;
        ::epoll_ctl(epoll_, operation, descriptor, &event);
    }

    void serve(const epoll_event& event) {
        if (event.data.u64 == kListener) {
            accept_all();
        } else if (event.data.u64 == kTimer) {
            std::uint64_t expirations = 0;
            (void)!::read(timer_, &expirations, sizeof expirations);
            armed_ = 0;
        } else {
            serve_connection(event.data.u64, event.events);
        }
    }

    void accept_all() {
        for (int i = 0; i < 64; ++i) {
            const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (descriptor < 0) {
                return;
            }
            const int on = 1;
            ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            if (free_.empty()) {
                free_.push_back(connections_.size());
                connections_.push_back(std::make_unique<Connection>());
            }
            const std::size_t slot = free_.back();
            free_.pop_back();
            connections_[slot]->descriptor = descriptor;
            watch(descriptor, slot, EPOLL_CTL_ADD, EPOLLIN);
        }
    }

    void close(std::size_t slot) {
        Connection& connection = *connections_[slot];
        ::close(connection.descriptor);
        const std::uint32_t next = connection.generation + 1;
        connection = Connection();
        connection.generation = next;
        free_.push_back(slot);
    }

    void serve_connection(std::size_t slot, std::uint32_t events) {
        Connection& connection = *connections_[slot];
        if (connection.descriptor >= 0 && (events & EPOLLOUT) != 0) {
            flush(slot);
        }
        if (connection.descriptor < 0 || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) {
            return;
        }
        const ssize_t got = ::recv(connection.descriptor, buffer_.data(), buffer_.size(), 0);
        if (got > 0) {
            connection.in.append(buffer_.data(), static_cast<std::size_t>(got));
            parse(slot);
        } else if (got == 0 || errno != EAGAIN) {
            close(slot);
        }
    }

    void flush(std::size_t slot) {
        Connection& connection = *connections_[slot];
        const std::string_view rest = std::string_view(connection.out).substr(connection.out_sent);
        const ssize_t sent = ::send(connection.descriptor, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            close(slot);
            return;
        }
        connection.out_sent += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
        if (connection.out_sent == connection.out.size()) {
            connection.out.clear();
            connection.out_sent = 0;
            watch(connection.descriptor, slot, EPOLL_CTL_MOD, EPOLLIN);
        }
    }

    // False: the connection is gone.
    bool put(std::size_t slot, std::string_view bytes) {
        Connection& connection = *connections_[slot];
        if (!connection.out.empty()) {
            connection.out += bytes;
            return true;
        }
        const ssize_t sent = ::send(connection.descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            close(slot);
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
        if (!bytes.empty()) {
            connection.out = bytes;
            watch(connection.descriptor, slot, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
        }
        return true;
    }

    // ---- requests ----

    void parse(std::size_t slot) {
        Connection& connection = *connections_[slot];
        while (connection.descriptor >= 0 && !connection.streaming) {  // a pipelined request waits
            const auto head_end = connection.in.find("\r\n\r\n");
            if (head_end == std::string::npos) {
                return;
            }
            const std::string_view input = connection.in;
            const RequestHead head = parse_head(input.substr(0, head_end + 2));
            const std::string_view rest = input.substr(head_end + 4);
            std::optional<Body> body;
            if (head.chunked) {
                body = parse_chunked(rest);
            } else if (rest.size() >= head.content_length) {
                body = Body{std::string(rest.substr(0, head.content_length)), head.content_length};
            }
            if (!body) {
                return;
            }
            const bool get = head.method == "GET";
            connection.in.erase(0, head_end + 4 + body->used);
            answer(slot, get, body->bytes);
        }
    }

    void answer(std::size_t slot, bool get, std::string_view body) {
        static const std::string models = document(kModels);
        static const std::string completion = document(kCompletion);
        const Wish wish = parse_wish(body);
        if (get || !wish.stream) {
            put(slot, get ? models : completion);
        } else if (wish.burst && wish.interval_ms == 0) {
            send_burst(slot, wish);
        } else {
            begin_stream(slot, wish);
        }
    }

    std::string opening() const { return std::string(kStreamHead) + role_; }

    void send_burst(std::size_t slot, const Wish& wish) {
        std::string all = opening();
        const std::string& token = token_.stamped();
        for (int i = 0; i < wish.tokens; ++i) {
            all += token;
        }
        put(slot, all + last_chunks(wish.tokens));
    }

    // Head, role and first token go in one write, as from a real server under load.
    void begin_stream(std::size_t slot, const Wish& wish) {
        Connection& connection = *connections_[slot];
        connection.streaming = true;
        connection.wish = wish;
        connection.tokens_sent = 0;
        std::string first = opening();
        if (wish.first_ms > 0) {
            if (put(slot, first)) {
                const std::uint64_t due = now_ns() + static_cast<std::uint64_t>(wish.first_ms) * kNsPerMs;
                paced_[-wish.first_ms].push_back({due, slot, connection.generation});
            }
            return;
        }
        if (wish.tokens > 0) {
            first += token_.stamped();
            connection.tokens_sent = 1;
        }
        if (!put(slot, first)) {
            return;
        }
        if (connection.tokens_sent >= wish.tokens) {
            end_stream(slot);
        } else {
            take_turn_later(slot, now_ns());
        }
    }

    // ---- tokens ----

    // True: the stream goes on.
    bool send_token(std::size_t slot) {
        Connection& connection = *connections_[slot];
        if (connection.tokens_sent < connection.wish.tokens) {
            if (!put(slot, token_.stamped())) {
                return false;
            }
            if (++connection.tokens_sent < connection.wish.tokens) {
                return true;
            }
        }
        end_stream(slot);
        parse(slot);
        return false;
    }

    void end_stream(std::size_t slot) {
        connections_[slot]->streaming = false;
        put(slot, last_chunks(connections_[slot]->wish.tokens));
    }

    void take_turn_later(std::size_t slot, std::uint64_t from) {
        const Connection& connection = *connections_[slot];
        if (connection.wish.interval_ms == 0) {
            unpaced_.push_back({0, slot, connection.generation});
            return;
        }
        auto& queue = paced_[connection.wish.interval_ms];  // ordered by itself: the distance is the same for all
        std::uint64_t due = from + static_cast<std::uint64_t>(connection.wish.interval_ms) * kNsPerMs;
        if (!queue.empty()) {
            due = std::max(due, queue.back().due);
        }
        queue.push_back({due, slot, connection.generation});
    }

    bool is_over(const Turn& turn) const {
        return connections_[turn.slot]->generation != turn.generation || !connections_[turn.slot]->streaming;
    }

    void arm_timer() {
        std::uint64_t next = ~0ULL;
        for (const auto& [interval, queue] : paced_) {
            next = queue.empty() ? next : std::min(next, queue.front().due);
        }
        if (next == armed_ || next == ~0ULL) {
            return;
        }
        itimerspec when{};
        when.it_value.tv_sec = static_cast<time_t>(next / 1'000'000'000U);
        when.it_value.tv_nsec = static_cast<long>(next % 1'000'000'000U);
        ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
        armed_ = next;
    }

    void send_due_tokens() {
        constexpr std::uint64_t kFarBehind = 1'000 * kNsPerMs;
        const std::uint64_t now = paced_.empty() ? 0 : now_ns();
        for (auto& [interval, queue] : paced_) {
            while (!queue.empty() && queue.front().due <= now) {
                const Turn turn = queue.front();
                queue.pop_front();
                if (!is_over(turn) && send_token(turn.slot)) {
                    // The cadence is kept; far behind, or after the wait for a first token, it starts over.
                    const bool restart = interval < 0 || turn.due + kFarBehind < now;
                    take_turn_later(turn.slot, restart ? now : turn.due);
                }
            }
        }
    }

    // One token for each stream, then the sockets are looked at again.
    void send_unpaced_tokens() {
        for (std::size_t left = unpaced_.size(); left > 0; --left) {
            const Turn turn = unpaced_.front();
            unpaced_.pop_front();
            if (is_over(turn)) {
                continue;
            }
            const Connection& connection = *connections_[turn.slot];
            const bool stalled = connection.out.size() - connection.out_sent > kUnsentMax;
            if (stalled || send_token(turn.slot)) {
                unpaced_.push_back(turn);
            }
        }
    }

    int epoll_;
    int timer_;
    int listener_ = -1;
    std::uint64_t armed_ = 0;
    std::vector<char> buffer_ = std::vector<char>(64 * 1024);
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<std::size_t> free_;
    std::map<int, std::deque<Turn>> paced_;  // by interval; negative: waiting for the first token
    std::deque<Turn> unpaced_;
    TokenChunk token_;
    const std::string role_ = choice_chunk(R"({"role":"assistant","content":""})", "null");
};

}  // namespace
}  // namespace confab::bench

int main(int argc, char** argv) {
    using confab::bench::Loop;
    std::signal(SIGPIPE, SIG_IGN);
    confab::bench::raise_descriptor_limit();
    const int port = argc > 1 ? std::atoi(argv[1]) : 9100;
    const int thread_count = argc > 2 ? std::atoi(argv[2]) : 1;
    std::fprintf(stderr, "mock_upstream on 127.0.0.1:%d, %d thread(s)\n", port, thread_count);
    std::vector<std::thread> threads;
    for (int i = 1; i < thread_count; ++i) {
        threads.emplace_back([port] { Loop(port).run(); });
    }
    Loop(port).run();
}
