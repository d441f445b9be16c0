// load_streams: a closed-loop client for streamed answers, on 127.0.0.1.
//
//   load_streams --port P [--api chat|responses] [--conns 64] [--ramp MS] [--requests N | --seconds S] [--model mock-n64-i0]
//                [--history MESSAGES] [--header 'Name: value']... [--timeout SECONDS] [--label TEXT]
//                [--keys FILE] [--per-key N] [--pad BYTES] [--obey yes]
//
// Keep-alive connections, started evenly over the ramp; each asks, reads the whole stream and asks again, until N requests were
// made or S seconds have passed; streams under way are read to their end. `--api responses` asks POST /v1/responses with
// "store":true instead of POST /v1/chat/completions; `--history N` sends a chat of N messages and wants no stream. Every answer must be a 200 with as many tokens as the model's name says.
//
// `--keys`: API keys, one a line, for so many connections each; `--pad`: a longer question. With `--obey yes` 429 and 503 are no failures but
// "refused": the connection is closed, and made anew when Retry-After has passed; "refused_ms" is how long the refusal took.
//
// Prints one line of JSON: answers and tokens per second, failures by reason, and in milliseconds p50, p99 and max of: the time to
// the first token (ttft), the whole answer (latency), the gap between two tokens of a stream, and the delay of a token since the
// mock wrote it. `tokens_per_s_steady` counts from the end of the ramp to the end of the time.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "load_request.hpp"
#include "loopback.hpp"

namespace confab::bench {
namespace {

// ---- figures ----

// Times by order of magnitude, 64 steps each: 1.6 % exact.
class Histogram {
public:
    void add(std::uint64_t ns) {
        ++count_;
        max_ = std::max(max_, ns);
        ++buckets_[index_of(ns)];
    }

    std::string json() const {
        std::array<char, 96> text{};
        std::snprintf(text.data(), text.size(), R"({"p50":%.3f,"p99":%.3f,"max":%.3f})", quantile_ms(0.5), quantile_ms(0.99), ms(max_));
        return text.data();
    }

private:
    static constexpr std::size_t kSteps = 64;

    static double ms(std::uint64_t ns) { return static_cast<double>(ns) / static_cast<double>(kNsPerMs); }

    static std::size_t index_of(std::uint64_t ns) {
        if (ns < kSteps) {
            return ns;
        }
        const auto exponent = static_cast<std::size_t>(std::bit_width(ns)) - 1;
        return (exponent - 5) * kSteps + ((ns >> (exponent - 6)) & (kSteps - 1));
    }

    double quantile_ms(double quantile) const {
        const auto wanted = static_cast<std::uint64_t>(std::ceil(quantile * static_cast<double>(count_)));
        std::uint64_t passed = 0;
        for (std::size_t i = 0; i < buckets_.size(); ++i) {
            passed += buckets_[i];
            if (passed >= wanted && passed > 0) {
                return i < kSteps ? ms(i) : ms((kSteps + i % kSteps) << (i / kSteps - 1));
            }
        }
        return 0;
    }

    std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>(kSteps * 64);
    std::uint64_t count_ = 0;
    std::uint64_t max_ = 0;
};

struct Figures {
    long started = 0;
    long good = 0;
    std::map<std::string, long> failures;
    long refused = 0;
    long tokens = 0;
    long tokens_steady = 0;
    long connects = 0;
    std::size_t streams_peak = 0;
    std::uint64_t bytes = 0;
    Histogram latency;
    Histogram ttft;
    Histogram gap;
    Histogram delay;
    Histogram refusal;

    long failed() const {
        long sum = 0;
        for (const auto& [reason, count] : failures) {
            sum += count;
        }
        return sum;
    }
};

// ---- reading an answer ----

// The bytes between the frames of a chunked body.
class ChunkedDecoder {
public:
    // Calls back with stretches of the body. True: the body is complete.
    template <class Take>
    bool feed(std::string_view bytes, Take take) {
        while (!bytes.empty()) {
            if (left_ > 0) {
                const std::string_view stretch = bytes.substr(0, left_);
                take(stretch);
                left_ -= stretch.size();
                bytes.remove_prefix(stretch.size());
                continue;
            }
            const auto line_end = bytes.find('\n');
            line_ += bytes.substr(0, line_end);
            if (line_end == std::string_view::npos) {
                return false;
            }
            bytes.remove_prefix(line_end + 1);
            const bool blank = line_.empty() || line_ == "\r";
            if (blank && last_) {
                return true;
            }
            if (!blank && !last_) {  // the blank line between two chunks says nothing
                left_ = std::strtoull(line_.c_str(), nullptr, 16);
                last_ = left_ == 0;
            }
            line_.clear();
        }
        return false;
    }

private:
    std::size_t left_ = 0;
    std::string line_;
    bool last_ = false;
};

// The text that a data line brings, or nothing: only the two shapes that the measured servers write.
std::optional<std::string_view> text_of(Api api, std::string_view data) {
    if (api == Api::responses && data.find(R"("type":"response.output_text.delta")") == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view key = api == Api::chat ? R"("content":")" : R"("delta":")";
    const auto at = data.find(key);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view text = data.substr(at + key.size());
    return text.substr(0, text.find('"'));
}

std::optional<std::uint64_t> time_in(std::string_view token) {
    if (token.size() != kTokenChars || token[0] != 'T') {
        return std::nullopt;
    }
    return std::strtoull(std::string(token.substr(1)).c_str(), nullptr, 16);
}

constexpr std::size_t kTroubleChars = 300;

struct Connection {
    int descriptor = -1;
    bool connecting = false;
    bool wants_to_send = false;  // what epoll was told
    bool refused = false;
    std::uint64_t start_at = 0;  // of the first request: the ramp
    std::size_t request_sent = 0;
    // The answer being read:
    std::uint64_t asked_at = 0;
    std::string head;
    bool head_read = false;
    int status = 0;
    bool chunked = false;
    long length = -1;
    long body_bytes = 0;
    bool close_after = false;
    long retry_after = 0;  // seconds
    ChunkedDecoder decoder;
    std::string line;
    int tokens = 0;
    bool done = false;
    std::string trouble;  // the event that told of an error
    std::uint64_t token_at = 0;

    void begin_answer() {
        const int kept = descriptor;
        const std::uint64_t start = start_at;
        *this = Connection();
        descriptor = kept;
        start_at = start;
    }
};

void parse_head(Connection& connection) {
    connection.head_read = true;
    connection.status = connection.head.size() > 12 ? std::atoi(connection.head.c_str() + 9) : 0;
    for (auto at = connection.head.find("\r\n"); at + 2 < connection.head.size(); at = connection.head.find("\r\n", at + 2)) {
        std::string line = connection.head.substr(at + 2, connection.head.find("\r\n", at + 2) - at - 2);
        std::transform(line.begin(), line.end(), line.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (line.starts_with("content-length:")) {
            connection.length = std::atol(line.c_str() + 15);
        } else if (line.starts_with("transfer-encoding:")) {
            connection.chunked = line.find("chunked") != std::string::npos;
        } else if (line.starts_with("retry-after:")) {
            connection.retry_after = std::atol(line.c_str() + 12);
        } else if (line.starts_with("connection:")) {
            connection.close_after = line.find("close") != std::string::npos;
        }
    }
}

// ---- the load ----

class Load {
public:
    explicit Load(Options options)
        : options_(std::move(options)), tokens_expected_(options_.tokens_expected()),
          epoll_(::epoll_create1(EPOLL_CLOEXEC)), connections_(options_.connections), begin_(now_ns()) {
        end_ = options_.seconds > 0 ? begin_ + static_cast<std::uint64_t>(options_.seconds * 1e9) : ~0ULL;
        for (const std::string& key : options_.keys.empty() ? std::vector<std::string>(1) : options_.keys) {
            requests_.push_back(render_request(options_, key));
        }
        for (std::size_t i = 0; i < connections_.size(); ++i) {
            connections_[i].start_at = begin_ + options_.ramp_ns * i / connections_.size();
        }
    }

    void run() {
        std::vector<epoll_event> events(1024);
        std::uint64_t next_look = begin_;
        for (;;) {
            const std::uint64_t now = now_ns();
            start_due(now);
            if (active_ == 0 && ((next_ == connections_.size() && later_.empty()) || !may_start())) {
                return;
            }
            const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), patience(now));
            for (int i = 0; i < count; ++i) {
                serve(connections_[events[static_cast<std::size_t>(i)].data.u64], events[static_cast<std::size_t>(i)].events);
            }
            if (now >= next_look) {
                next_look = now + 1'000 * kNsPerMs;
                end_late_ones(now);
            }
        }
    }

    void print() const;
    bool all_good() const { return figures_.failed() == 0; }

private:
    bool may_start() const {
        return options_.requests >= 0 ? figures_.started < options_.requests : now_ns() < end_;
    }

    void start_due(std::uint64_t now) {
        for (; next_ < connections_.size() && connections_[next_].start_at <= now; ++next_) {
            if (may_start()) {
                connect(connections_[next_]);
            }
        }
        while (!later_.empty() && later_.top().first <= now) {
            Connection& connection = connections_[later_.top().second];
            later_.pop();
            if (may_start()) {
                connect(connection);
            }
        }
    }

    int patience(std::uint64_t now) const {
        constexpr std::uint64_t kLongestMs = 200;
        if (!later_.empty()) {
            return 5;  // some are due soon
        }
        if (next_ == connections_.size()) {
            return kLongestMs;
        }
        const std::uint64_t start = connections_[next_].start_at;
        return static_cast<int>(std::min(kLongestMs, start > now ? (start - now) / kNsPerMs : 0));
    }

    void watch(Connection& connection, int operation, std::uint32_t events) const {
        epoll_event event{};
        event.events = events;
        event.data.u64 = static_cast<std::uint64_t>(&connection - connections_.data());
        ::epoll_ctl(epoll_, operation, connection.descriptor, &event);
    }

    void count_start() {
        ++figures_.started;
        ++active_;
        figures_.streams_peak = std::max(figures_.streams_peak, active_);
    }

    void connect(Connection& connection) {
        count_start();
        connection.begin_answer();
        connection.asked_at = now_ns();
        connection.descriptor = open_socket();
        const sockaddr_in address = loopback(options_.port);
        if (::connect(connection.descriptor, generic(address), sizeof address) != 0 && errno != EINPROGRESS) {
            connection.refused = true;
            finish(connection, "connect");
            return;
        }
        ++figures_.connects;
        connection.connecting = connection.wants_to_send = true;
        watch(connection, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    }

    void ask(Connection& connection) {
        const std::string& request = request_of(connection);
        const std::string_view rest = std::string_view(request).substr(connection.request_sent);
        const ssize_t sent = rest.empty() ? 0 : ::send(connection.descriptor, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            connection.request_sent = request.size();  // closed meanwhile: what it said before is read
        }
        connection.request_sent += sent > 0 ? static_cast<std::size_t>(sent) : 0;
        const bool more = connection.request_sent < request.size();
        if (more != std::exchange(connection.wants_to_send, more)) {
            watch(connection, EPOLL_CTL_MOD, more ? EPOLLIN | EPOLLOUT : EPOLLIN);
        }
    }

    void serve(Connection& connection, std::uint32_t events) {
        if (connection.descriptor < 0) {
            return;
        }
        if (connection.connecting) {
            if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
                connection.refused = true;
                finish(connection, "connect");
            } else if ((events & EPOLLOUT) != 0) {
                connection.connecting = false;
                ask(connection);
            }
            return;
        }
        if ((events & EPOLLOUT) != 0) {
            ask(connection);
        }
        if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) {
            return;
        }
        const ssize_t got = ::recv(connection.descriptor, buffer_.data(), buffer_.size(), 0);
        if (got > 0) {
            figures_.bytes += static_cast<std::uint64_t>(got);
            read(connection, std::string_view(buffer_.data(), static_cast<std::size_t>(got)), now_ns());
        } else if (got == 0) {
            finish(connection, "closed_early");
        } else if (errno != EAGAIN) {
            finish(connection, "recv");
        }
    }

    void read(Connection& connection, std::string_view bytes, std::uint64_t now) {
        if (!connection.head_read) {
            const std::size_t before = connection.head.size();
            connection.head += bytes;
            const auto end = connection.head.find("\r\n\r\n", before > 3 ? before - 3 : 0);
            if (end == std::string::npos) {
                return;
            }
            bytes.remove_prefix(end + 4 - before);
            connection.head.resize(end + 2);
            parse_head(connection);
        }
        const auto take = [&](std::string_view stretch) { read_body(connection, stretch, now); };
        bool complete = false;
        if (connection.chunked) {
            complete = connection.decoder.feed(bytes, take);
        } else {
            take(bytes);
            connection.body_bytes += static_cast<long>(bytes.size());
            complete = connection.length >= 0 && connection.body_bytes >= connection.length;
        }
        if (complete) {
            finish(connection, fault_of(connection));
        }
    }

    void read_body(Connection& connection, std::string_view bytes, std::uint64_t now) {
        for (auto end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
            if (connection.line.empty()) {
                read_line(connection, bytes.substr(0, end), now);
            } else {
                connection.line += bytes.substr(0, end);
                read_line(connection, connection.line, now);
                connection.line.clear();
            }
            bytes.remove_prefix(end + 1);
        }
        connection.line += bytes;
    }

    void read_line(Connection& connection, std::string_view line, std::uint64_t now) {
        if (!line.starts_with("data: ")) {
            return;
        }
        const std::string_view data = line.substr(6);
        if (data.starts_with("[DONE]")) {
            connection.done = true;
            return;
        }
        if (const auto text = text_of(options_.api, data)) {
            // A server may join tokens: each of them counts.
            for (std::string_view rest = *text; !rest.empty(); rest.remove_prefix(std::min(rest.size(), kTokenChars))) {
                count_token(connection, rest.substr(0, kTokenChars), now);
            }
        } else if (data.find("\"error\":{") != std::string_view::npos) {
            connection.trouble = data.substr(data.find("\"error\":{"), kTroubleChars);
        }
    }

    void count_token(Connection& connection, std::string_view token, std::uint64_t now) {
        if (connection.tokens++ == 0) {
            figures_.ttft.add(now - connection.asked_at);
        } else {
            figures_.gap.add(now - connection.token_at);
        }
        connection.token_at = now;
        ++figures_.tokens;
        if (now >= begin_ + options_.ramp_ns && now < end_) {
            ++figures_.tokens_steady;
        }
        const auto written = time_in(token);
        if (written && *written <= now) {
            figures_.delay.add(now - *written);
        }
    }

    const char* fault_of(const Connection& connection) const {
        if (connection.status != 200) {
            return "status";
        }
        if (options_.history > 0) {
            return connection.line.find("\"choices\"") == std::string::npos ? "no_answer" : nullptr;
        }
        if (!connection.trouble.empty()) {
            return "error_event";
        }
        if (!connection.done) {
            return "no_done";
        }
        return tokens_expected_ >= 0 && connection.tokens != tokens_expected_ ? "token_count" : nullptr;
    }

    // `fault` null: a good answer.
    void finish(Connection& connection, const char* fault) {
        --active_;
        last_finish_ = now_ns();
        if (options_.obeys && (connection.status == 429 || connection.status == 503)) {
            ++figures_.refused;
            figures_.refusal.add(last_finish_ - connection.asked_at);
            ::close(connection.descriptor);
            connection.descriptor = -1;
            const auto pause = static_cast<std::uint64_t>(std::max(connection.retry_after, 1L)) * 1'000 * kNsPerMs;
            later_.emplace(last_finish_ + pause, static_cast<std::size_t>(&connection - connections_.data()));
            return;
        }
        if (fault == nullptr) {
            ++figures_.good;
            figures_.latency.add(last_finish_ - connection.asked_at);
        } else if (figures_.failures[fault]++ == 0) {
            std::fprintf(stderr, "load_streams: %s, status %d, %d tokens: %.200s%s\n", fault, connection.status, connection.tokens, connection.line.c_str(), connection.trouble.c_str());
        }
        // A server that refuses a connection is not asked for another one.
        const bool again = may_start() && !connection.refused;
        if (fault != nullptr || connection.close_after || !again) {
            ::close(connection.descriptor);
            connection.descriptor = -1;
        }
        if (again && connection.descriptor < 0) {
            connect(connection);
        } else if (again) {
            count_start();
            connection.begin_answer();
            connection.asked_at = last_finish_;
            ask(connection);
        }
    }

    void end_late_ones(std::uint64_t now) {
        const auto patience_ns = static_cast<std::uint64_t>(options_.timeout_seconds * 1e9);
        for (Connection& connection : connections_) {
            if (connection.descriptor >= 0 && now > connection.asked_at + patience_ns) {
                finish(connection, "timeout");
            }
        }
    }

    const std::string& request_of(const Connection& connection) const {
        const auto index = static_cast<std::size_t>(&connection - connections_.data());
        return requests_[index / options_.per_key % requests_.size()];
    }

    const Options options_;
    std::vector<std::string> requests_;  // one for each key
    const int tokens_expected_;
    const int epoll_;
    std::vector<Connection> connections_;
    std::size_t next_ = 0;  // to be started
    using Due = std::pair<std::uint64_t, std::size_t>;  // when, and which connection
    std::priority_queue<Due, std::vector<Due>, std::greater<>> later_;  // those that were refused
    std::size_t active_ = 0;
    const std::uint64_t begin_;
    std::uint64_t end_ = 0;
    std::uint64_t last_finish_ = 0;
    std::vector<char> buffer_ = std::vector<char>(256 * 1024);
    Figures figures_;
};

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Load::print() const {
    const double wall = static_cast<double>(std::max(last_finish_, begin_ + 1) - begin_) / 1e9;
    const std::uint64_t steady_from = begin_ + options_.ramp_ns;
    const double steady = end_ != ~0ULL && end_ > steady_from ? static_cast<double>(end_ - steady_from) / 1e9 : wall;
    std::string reasons;
    for (const auto& [reason, count] : figures_.failures) {
        reasons += (reasons.empty() ? "\"" : ",\"") + reason + "\":" + std::to_string(count);
    }
    std::printf(
        R"({"label":"%s","model":"%s","conns":%zu,"ok":%ld,"refused":%ld,"refused_ms":%s,"failed":%ld,"reasons":{%s},"wall_s":%.3f,"answers_per_s":%.1f,)",
        options_.label.c_str(), options_.model.c_str(), options_.connections, figures_.good, figures_.refused,
        figures_.refusal.json().c_str(), figures_.failed(), reasons.c_str(), wall,
        static_cast<double>(figures_.good) / wall
    );
    std::printf(
        R"("tokens":%ld,"tokens_per_s":%.0f,"tokens_per_s_steady":%.0f,"streams_peak":%zu,"connects":%ld,"mb_in":%.1f,)", figures_.tokens,
        static_cast<double>(figures_.tokens) / wall, static_cast<double>(figures_.tokens_steady) / steady, figures_.streams_peak,
        figures_.connects, static_cast<double>(figures_.bytes) / 1e6
    );
    std::printf(
        R"("ttft_ms":%s,"latency_ms":%s,"gap_ms":%s,"delay_ms":%s,"client_cpu_s":%.2f})" "\n", figures_.ttft.json().c_str(),
        figures_.latency.json().c_str(), figures_.gap.json().c_str(), figures_.delay.json().c_str(), cpu_seconds()
    );
}

}  // namespace
}  // namespace confab::bench

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    confab::bench::raise_descriptor_limit();
    confab::bench::Load load(confab::bench::parse_options(argc, argv));
    load.run();
    load.print();
    return load.all_good() ? 0 : 1;
}
