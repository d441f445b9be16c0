// What a session tells of its requests: a line in the log, and a span when the request is traced.
#include <chrono>

#include <spdlog/spdlog.h>

#include "web/session.hpp"

namespace confab::web {

// Neither the path nor the query: they hold ids and what people search for.
void Session::log_request() const {
    if (status_ == 0 || !spdlog::should_log(environment_.request_log_level)) {
        return;
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(net::Deadline::Clock::now() - request_begun_);
    spdlog::log(
        environment_.request_log_level,
        "request id={} method={} route={} status={} milliseconds={} user={} complete={}",
        request_.id,
        request_.method.empty() ? "-" : request_.method,
        route_ == nullptr ? "-" : route_->pattern,
        status_,
        took.count(),
        request_.caller.user_no,
        !client_gone_
    );
}

void Session::begin_trace() {
    if (environment_.tracer != nullptr) {
        const auto caller = meter::parse_traceparent(request_.header("traceparent"));
        trace_parent_ = caller ? caller->span : meter::SpanId{};
        request_.trace = environment_.tracer->begin(caller);
    }
}

void Session::trace_request() {
    if (status_ == 0 || !request_.trace || !request_.trace->sampled) {
        return;
    }
    meter::Span span;
    span.name = route_ == nullptr ? "unknown route" : route_->pattern.c_str();
    span.kind = meter::SpanKind::server;
    span.trace = request_.trace->trace;
    span.id = request_.trace->span;
    span.parent = trace_parent_;
    span.begin = request_begun_;
    span.end = net::Deadline::Clock::now();
    span.failed = status_ >= 500;
    span.attributes.push_back({"http.request.method", request_.method});
    span.attributes.push_back({"http.route", std::string(span.name)});
    span.attributes.push_back({"http.response.status_code", std::int64_t{status_}});
    span.attributes.push_back({"confab.request_id", request_.id});
    environment_.tracer->record(std::move(span));
}

}  // namespace confab::web
