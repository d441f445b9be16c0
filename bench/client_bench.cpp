// client_bench: what it costs to make the model client anew for every call, as the reviewed application did, instead of keeping it.
//
//   client_bench --port P [--calls 200] [--rounds 7]      against mock_upstream on 127.0.0.1:P
//
// Four ways to make the same small call (a completion that is not streamed), one call at a time, alternating in rounds:
//     kept HttpClient        what Confab does: one pool for the life of a shard
//     HttpClient per call    the fault of the review, within Confab's own client
//     kept curl handle       the same two without Confab's client: libcurl's easy interface
//     curl handle per call
// There is no TLS here: with it every new connection would also cost a handshake, that is one or two more round trips and about a
// millisecond of CPU. The figures are the least that the fault costs.
#include <curl/curl.h>
#include <sys/resource.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "net/http_client.hpp"
#include "sampling.hpp"

namespace confab::bench {
namespace {

constexpr std::string_view kBody =
    R"({"model":"mock-n64-i0","messages":[{"role":"user","content":"Say something short about measuring proxies, please."}]})";

struct Options {
    std::string url;
    int calls = 200;
    int rounds = 7;
};

struct Way {
    std::string name;
    Samples us_per_call;   // one sample a round
    Samples cpu_per_call;
    std::uint64_t calls = 0;
    std::uint64_t connections = 0;
};

double cpu_us() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto us = [](const timeval& time) { return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec); };
    return us(usage.ru_utime) + us(usage.ru_stime);
}

// Times one round of a way from construction to destruction.
class Round {
public:
    Round(Way& way, int calls) : way_(way), calls_(calls) {}
    Round(const Round&) = delete;
    Round& operator=(const Round&) = delete;
    ~Round() {
        way_.us_per_call.add(us_since(begin_) / calls_);
        way_.cpu_per_call.add((cpu_us() - cpu_begin_) / calls_);
        way_.calls += static_cast<std::uint64_t>(calls_);
    }

private:
    Way& way_;
    int calls_;
    Clock::time_point begin_ = Clock::now();
    double cpu_begin_ = cpu_us();
};

// ---- Confab's client ----

class Collector final : public net::HttpSink {
public:
    void on_head(const net::HttpHead& /*head*/) override {}
    net::Flow on_body(std::string_view bytes) override {
        body.append(bytes);
        return net::Flow::go_on;
    }
    std::string body;
};

net::Task<void> call_once(net::HttpClient& client, const Options& options) {
    net::HttpRequest request;
    request.method = "POST";
    request.url = options.url;
    request.headers.emplace_back("Content-Type: application/json");
    request.body = std::string(kBody);
    request.deadline = net::Deadline::after(std::chrono::seconds(10));
    Collector collector;
    net::HttpCall call(client, std::move(request), collector);
    const auto head = co_await call.send();
    if (!head || head->status != 200 || collector.body.empty()) {
        throw std::runtime_error("a call failed");
    }
}

net::Task<void> call_with_kept_client(net::HttpClient& client, const Options& options, Way& way) {
    const std::uint64_t before = client.counters().connections_opened;
    {
        const Round round(way, options.calls);
        for (int i = 0; i < options.calls; ++i) {
            co_await call_once(client, options);
        }
    }
    way.connections += client.counters().connections_opened - before;
}

net::Task<void> call_with_client_per_call(net::Shard& shard, const Options& options, Way& way) {
    const Round round(way, options.calls);
    for (int i = 0; i < options.calls; ++i) {
        net::HttpClient client(shard);
        co_await call_once(client, options);
        way.connections += client.counters().connections_opened;
    }
}

// ---- bare libcurl ----

struct EasyHandle {
    CURL* handle = curl_easy_init();
    EasyHandle() = default;
    EasyHandle(const EasyHandle&) = delete;
    EasyHandle& operator=(const EasyHandle&) = delete;
    ~EasyHandle() { curl_easy_cleanup(handle); }
};

std::size_t append_body(char* data, std::size_t size, std::size_t count, void* body) {
    static_cast<std::string*>(body)->append(data, size * count);
    return size * count;
}

std::uint64_t perform_once(CURL* handle, const Options& options) {
    std::string body;
    curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
    curl_easy_setopt(handle, CURLOPT_URL, options.url.c_str());
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(kBody.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, kBody.data());
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &append_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT, 10L);
    const CURLcode result = curl_easy_perform(handle);
    curl_slist_free_all(headers);
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    if (result != CURLE_OK || status != 200 || body.empty()) {
        throw std::runtime_error("a call failed");
    }
    long opened = 0;
    curl_easy_getinfo(handle, CURLINFO_NUM_CONNECTS, &opened);
    return static_cast<std::uint64_t>(opened);
}

void perform_with_kept_handle(CURL* handle, const Options& options, Way& way) {
    const Round round(way, options.calls);
    for (int i = 0; i < options.calls; ++i) {
        way.connections += perform_once(handle, options);
    }
}

void perform_with_handle_per_call(const Options& options, Way& way) {
    const Round round(way, options.calls);
    for (int i = 0; i < options.calls; ++i) {
        const EasyHandle fresh;
        way.connections += perform_once(fresh.handle, options);
    }
}

// ---- the whole ----

using Ways = std::array<Way, 4>;

net::Task<void> measure(net::Shard& shard, const Options& options, Ways& ways) {
    net::HttpClient client(shard);
    const EasyHandle handle;
    for (int round = 0; round < options.rounds; ++round) {
        co_await call_with_kept_client(client, options, ways[0]);
        co_await call_with_client_per_call(shard, options, ways[1]);
        perform_with_kept_handle(handle.handle, options, ways[2]);
        perform_with_handle_per_call(options, ways[3]);
    }
}

void print(const Options& options, const Ways& ways) {
    std::vector<Row> rows;
    for (std::size_t i = 0; i < ways.size(); ++i) {
        const Way& way = ways[i];
        const Way& kept = ways[i / 2 * 2];
        rows.push_back({
            way.name,
            fmt::format("{:.0f}", way.us_per_call.median()),
            fmt::format("{:.0f}", way.cpu_per_call.median()),
            fmt::format("{} of {}", way.connections, way.calls),
            fmt::format("{:.1f}", way.us_per_call.median() / kept.us_per_call.median()),
            fmt::format("{:.1f}", way.cpu_per_call.median() / kept.cpu_per_call.median()),
        });
    }
    print_table(
        fmt::format("Reused client against a client per call: {} rounds of {} calls each, alternating; medians of the rounds", options.rounds, options.calls),
        {"", "us per call", "client CPU us per call", "connections opened", "time ratio", "CPU ratio"}, rows
    );
}

Options parse_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        if (name == "--port") {
            options.url = std::string("http://127.0.0.1:") + argv[i + 1] + "/v1/chat/completions";
        } else if (name == "--calls") {
            options.calls = std::atoi(argv[i + 1]);
        } else if (name == "--rounds") {
            options.rounds = std::atoi(argv[i + 1]);
        }
    }
    return options;
}

int run(const Options& options) {
    net::Shard shard(0);
    Ways ways;
    ways[0].name = "kept HttpClient (Confab)";
    ways[1].name = "HttpClient per call";
    ways[2].name = "kept curl handle";
    ways[3].name = "curl handle per call";
    int status = 0;
    net::asio::co_spawn(shard.executor(), measure(shard, options, ways), [&](std::exception_ptr failure) {
        status = failure ? 1 : 0;
        shard.stop();
    });
    shard.run();
    if (status == 0) {
        print(options, ways);
    } else {
        fmt::print(stderr, "client_bench: a call failed; is mock_upstream there?\n");
    }
    return status;
}

}  // namespace
}  // namespace confab::bench

int main(int argc, char** argv) {
    const auto options = confab::bench::parse_options(argc, argv);
    if (options.url.empty()) {
        fmt::print(stderr, "usage: client_bench --port P [--calls N] [--rounds N]\n");
        return 2;
    }
    return confab::bench::run(options);
}
