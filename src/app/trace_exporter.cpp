#include "app/trace_exporter.hpp"

#include <spdlog/spdlog.h>

#include "base/ids.hpp"
#include "meter/otlp.hpp"

namespace confab::app {

namespace {

using net::Task;

constexpr std::size_t kBatchSpans = 512;
constexpr std::chrono::seconds kSendEvery{1};
constexpr std::chrono::seconds kSendMax{10};   // then a batch is lost
constexpr std::chrono::seconds kFlushMax{2};   // of all that is left when the server stops
constexpr std::uint64_t kAnswerBytesMax = 64 * 1024;

// A collector answers with what it could not take; the status says enough.
class IgnoreAnswer final : public net::HttpSink {
public:
    void on_head(const net::HttpHead& /*head*/) override {}

    net::Flow on_body(std::string_view /*bytes*/) override { return net::Flow::go_on; }
};

std::string traces_url(std::string endpoint) {
    while (endpoint.ends_with('/')) {
        endpoint.pop_back();
    }
    return endpoint + "/v1/traces";
}

}  // namespace

TraceExporter::TraceExporter(
    net::Shard& shard,
    meter::Tracer& tracer,
    const std::string& endpoint,
    std::string version
)
    : tracer_(tracer),
      client_(shard),
      url_(traces_url(endpoint)),
      version_(std::move(version)),
      instance_(base::to_hex(base::make_uuid_v7())) {}

Task<void> TraceExporter::run() {
    while (true) {
        const auto deadline = net::Deadline::after(kSendMax);
        if (!co_await send_batch(deadline)) {
            co_await net::sleep_for(kSendEvery);
        }
    }
}

Task<void> TraceExporter::flush() {
    const auto deadline = net::Deadline::after(kFlushMax);
    while (!deadline.passed() && co_await send_batch(deadline)) {
    }
}

// True when there may be more to send at once.
Task<bool> TraceExporter::send_batch(net::Deadline deadline) {
    const std::vector<meter::Span> spans = tracer_.take(kBatchSpans);
    if (spans.empty()) {
        co_return false;
    }
    net::HttpRequest request;
    request.method = "POST";
    request.url = url_;
    request.headers = {"Content-Type: application/json"};
    request.body.text = meter::render_otlp(spans, version_, instance_);
    request.deadline = deadline;
    request.body_bytes_max = kAnswerBytesMax;
    IgnoreAnswer sink;
    net::HttpCall call(client_, std::move(request), sink);
    const auto answer = co_await call.send();
    const bool taken = answer && answer->status < 300;
    (taken ? tracer_.exported : tracer_.dropped).add(spans.size());
    if (!taken && !std::exchange(complained_, true)) {
        spdlog::warn("traces_not_taken status={} code={}", answer ? answer->status : 0, answer ? "" : answer.error().code);
    }
    complained_ = complained_ && !taken;
    co_return taken && spans.size() == kBatchSpans;
}

}  // namespace confab::app
