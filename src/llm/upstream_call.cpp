#include "llm/upstream_call.hpp"

#include <random>

#include <spdlog/spdlog.h>

namespace confab::llm {

namespace {

using net::Task;

std::unexpected<base::Error> cancelled() {
    return base::fail(base::Errc::cancelled, "The request was cancelled.", "cancelled");
}

double random_fraction() {
    thread_local std::minstd_rand generator(std::random_device{}());
    return std::uniform_real_distribution<double>(0, 1)(generator);
}

}  // namespace

UpstreamCall::UpstreamCall(
    net::HttpClient& client,
    net::Executor executor,
    UpstreamPtr upstream,
    net::HttpRequest request,
    net::HttpSink& sink,
    PersonKey person
)
    : client_(client),
      executor_(executor),
      upstream_(std::move(upstream)),
      request_(std::move(request)),
      sink_(sink),
      timer_(executor),
      person_(person) {}

Task<base::Result<net::HttpHead>> UpstreamCall::send() {
    Retries retries(net::Deadline::Clock::now(), random_fraction);
    while (true) {
        auto sent = co_await try_once();
        const TryFailure failure = failure_of(sent);
        note_failure(sent);
        if (slot_ && is_overload(failure)) {
            slot_->refused();
        }
        const bool endless = held_.size() >= kErrorBodyBytesMax;
        const auto wait =
            delivered_ || cancelled_ || endless ? std::nullopt : retries.next(failure, net::Deadline::Clock::now());
        if (!wait || !call_) {
            slot_.reset();
            deliver_held();
            co_return sent;
        }
        spdlog::info("upstream_retry upstream={} status={} code={}", upstream_->name, failure.status, failure.code);
        if (upstream_->slots) {
            upstream_->slots->retries.add();
        }
        request_ = call_->take_request();
        call_.reset();
        slot_.reset();  // nobody holds a place while it waits
        head_.reset();
        held_.clear();
        co_await pause(*wait);
    }
}

Task<base::Result<net::HttpHead>> UpstreamCall::try_once() {
    if (upstream_->slots && !cancelled_) {
        slot_.emplace(upstream_->slots, executor_, person_);
        CO_TRY_VOID(co_await slot_->wait(upstream_->name));
    }
    if (cancelled_) {
        co_return cancelled();
    }
    times_.granted = net::Deadline::Clock::now();
    net::HttpSink& self = *this;  // what the base is to others is private
    call_.emplace(client_, std::move(request_), self);
    auto sent = co_await call_->send();
    times_.connected = call_->connected_at();
    co_return sent;
}

TryFailure UpstreamCall::failure_of(const base::Result<net::HttpHead>& sent) const {
    TryFailure failure;
    if (delivered_) {
        return failure;
    }
    if (!sent) {
        failure.code = sent.error().code;
    } else if (sent->status >= 400) {
        failure.status = sent->status;
        failure.retry_after = parse_retry_after(sent->retry_after);
    } else {
        failure.code = "empty_answer";  // it ended before its first byte
    }
    return failure;
}

// That somebody left, waited in vain for a slot, or asked for what no server could do is no failure of the server.
void UpstreamCall::note_failure(const base::Result<net::HttpHead>& sent) const {
    if (!upstream_->slots || cancelled_) {
        return;
    }
    if (!sent) {
        const base::Error& error = sent.error();
        if (error.errc != base::Errc::cancelled && error.code != "upstream_busy") {
            upstream_->slots->note_failure(error.code, error.message);
        }
    } else if (sent->status >= 500 || sent->status == 429 || sent->status == 401 || sent->status == 403) {
        const std::string status = std::to_string(sent->status);
        upstream_->slots->note_failure("http_" + status, "It answered a request with status " + status + ".");
    }
}

// The last try failed: its answer is the answer.
void UpstreamCall::deliver_held() {
    if (delivered_ || !head_ || cancelled_) {
        return;
    }
    delivered_ = true;
    sink_.on_head(*head_);
    if (!held_.empty()) {
        (void)sink_.on_body(held_);
    }
}

Task<void> UpstreamCall::pause(std::chrono::steady_clock::duration duration) {
    timer_.expires_after(duration);
    boost::system::error_code ec;
    co_await timer_.async_wait(net::asio::redirect_error(net::use_task, ec));
}

void UpstreamCall::cancel() {
    cancelled_ = true;
    timer_.cancel();
    if (slot_) {
        slot_->cancel();
    }
    if (call_) {
        call_->cancel();
    }
}

void UpstreamCall::resume() {
    if (call_) {
        call_->resume();
    }
}

// ---- what arrives ----

void UpstreamCall::on_head(const net::HttpHead& head) {
    head_ = head;
}

net::Flow UpstreamCall::on_body(std::string_view bytes) {
    if (head_->status >= 400) {
        held_ += bytes.substr(0, kErrorBodyBytesMax - std::min(kErrorBodyBytesMax, held_.size()));
        return held_.size() < kErrorBodyBytesMax ? net::Flow::go_on : net::Flow::finish;  // it may be endless
    }
    if (!std::exchange(delivered_, true)) {
        sink_.on_head(*head_);
    }
    return sink_.on_body(bytes);
}

}  // namespace confab::llm
