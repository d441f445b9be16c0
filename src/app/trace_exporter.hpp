// TraceExporter: sends spans to an OpenTelemetry collector by OTLP/HTTP (JSON), one batch at a time.
//
// While a batch is on its way, others wait in the tracer's bounded queue; a collector that is slow, unreachable or
// refuses costs spans, which are counted, and nothing else. Lives on one shard.
#pragma once

#include <string>

#include "meter/trace.hpp"
#include "net/http_client.hpp"

namespace confab::app {

class TraceExporter {
public:
    // `endpoint` is the collector's base URL; /v1/traces is added.
    TraceExporter(net::Shard& shard, meter::Tracer& tracer, const std::string& endpoint, std::string version);

    // Sends what there is every second, until it is cancelled.
    net::Task<void> run();

    // Sends what is left, within a bound: for the end of the server.
    net::Task<void> flush();

private:
    net::Task<bool> send_batch(net::Deadline deadline);

    meter::Tracer& tracer_;
    net::HttpClient client_;  // of its own: the meters of model servers do not count it
    const std::string url_;
    const std::string version_;
    const std::string instance_;
    bool complained_ = false;
};

}  // namespace confab::app
