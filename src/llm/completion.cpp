#include "llm/completion.hpp"

#include <array>

#include "llm/demo.hpp"
#include "llm/http_error.hpp"
#include "llm/upstream_call.hpp"

namespace confab::llm {

namespace {

using base::Errc;
using net::Task;

class UpstreamCompletion final : public Completion, private net::HttpSink {
public:
    UpstreamCompletion(
        net::HttpClient& client,
        net::Executor executor,
        UpstreamPtr upstream,
        net::BodySource body,
        CompletionSink& sink,
        CompletionOrigin origin
    )
        : upstream_(std::move(upstream)),
          sink_(sink),
          stream_(sink),
          call_(client, executor, upstream_, request(*upstream_, std::move(body), origin.traceparent), *this, origin.person) {}

    Task<base::Result<Outcome>> run() override {
        auto sent = co_await call_.send();
        if (sent && sent->status >= 400) {
            co_return std::unexpected(error_from_answer(*upstream_, *sent, error_body_));
        }
        if (!sent && (sent.error().errc == Errc::cancelled || !anything_)) {
            co_return std::unexpected(sent.error());
        }
        Outcome outcome = stream_.finish();
        if (Fault* fault = std::get_if<Fault>(&outcome.end)) {
            if (!sent) {
                fault->message = sent.error().message;
                fault->code = sent.error().code;
            }
            const std::array<std::string_view, 1> secrets{upstream_->api_key};
            const std::span<const std::string_view> known(secrets.data(), upstream_->api_key.empty() ? 0 : 1);
            redact(fault->message, known);
            redact(fault->code, known);
        }
        co_return outcome;
    }

    void cancel() override { call_.cancel(); }

    std::optional<CallTimes> times() const override { return call_.times(); }

private:
    static net::HttpRequest request(const Upstream& upstream, net::BodySource body, const std::string& traceparent) {
        net::HttpRequest request;
        request.method = "POST";
        request.url = upstream.base_url + "/chat/completions";
        request.headers = request_headers(upstream, traceparent);
        request.body = std::move(body);
        request.deadline = net::Deadline::after(kAnswerMax);
        return request;
    }

    void on_head(const net::HttpHead& head) override {
        failed_ = head.status >= 400;
        if (!failed_) {
            stream_.begin(head.content_type);
        }
    }

    net::Flow on_body(std::string_view bytes) override {
        anything_ = true;
        if (failed_) {
            error_body_ += bytes.substr(0, kErrorBodyBytesMax - std::min(kErrorBodyBytesMax, error_body_.size()));
            return net::Flow::go_on;
        }
        stream_.feed(bytes);
        return stream_.done() ? net::Flow::finish : net::Flow::go_on;
    }

    void on_read_end() override { sink_.on_read_end(); }

    UpstreamPtr upstream_;
    CompletionSink& sink_;
    CompletionStream stream_;
    UpstreamCall call_;
    std::string error_body_;
    bool failed_ = false;
    bool anything_ = false;
};

}  // namespace

std::unique_ptr<Completion> make_completion(
    net::HttpClient& client,
    net::Executor executor,
    UpstreamPtr upstream,
    net::BodySource body,
    CompletionSink& sink,
    CompletionOrigin origin
) {
    if (!upstream) {
        return std::make_unique<DemoCompletion>(executor, sink);
    }
    return std::make_unique<UpstreamCompletion>(
        client, executor, std::move(upstream), std::move(body), sink, std::move(origin)
    );
}

}  // namespace confab::llm
