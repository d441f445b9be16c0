// Traces: what requests and turns spent their time on, as OpenTelemetry's spans. Off unless somebody collects them; then
// a share of the requests is sampled, and only those cost anything.
//
// A span holds times, names that stand in the source, ids and numbers; never a word of anybody.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "meter/counters.hpp"

namespace confab::meter {

using TraceId = std::array<std::uint8_t, 16>;
using SpanId = std::array<std::uint8_t, 8>;

// What is passed on to whoever works for a request: W3C Trace Context, level 1.
struct TraceContext {
    TraceId trace{};
    SpanId span{};  // of the caller
    bool sampled = false;
};

// The value of a `traceparent` header; nothing when it is malformed. A later version of the format is read like this one.
std::optional<TraceContext> parse_traceparent(std::string_view text);
std::string render_traceparent(const TraceContext& context);

enum class SpanKind : std::uint8_t { internal = 1, server = 2, client = 3 };  // OTLP's numbers

struct SpanAttribute {
    const char* name;  // a literal
    std::variant<std::int64_t, std::string> value;
};

struct Span {
    using Time = std::chrono::steady_clock::time_point;

    const char* name = "";  // a literal, or a route's pattern, which lives as long
    SpanKind kind = SpanKind::internal;
    TraceId trace{};
    SpanId id{};
    SpanId parent{};  // zeros: it has none
    Time begin;
    Time end;
    bool failed = false;
    std::vector<SpanAttribute> attributes;
};

// Decides what is sampled, and keeps spans until they are sent. For any thread.
class Tracer {
public:
    static constexpr std::size_t kSpansMax = 2'048;  // that wait; beyond them new ones are dropped

    // `sample_share` of the requests that come without a decision, 0..1.
    explicit Tracer(double sample_share) : sample_share_(sample_share) {}

    // The context under which a request does its work: its own span in the trace of `caller`, if there is one, whose
    // decision is kept.
    TraceContext begin(const std::optional<TraceContext>& caller);

    static SpanId make_span_id();

    // Kept until taken; dropped and counted when too many wait.
    void record(Span span);

    // Up to `most` spans, the oldest first.
    std::vector<Span> take(std::size_t most);

    std::size_t waiting() const;

    Counter exported;  // spans that the collector has taken
    Counter dropped;   // spans that it could not take: too slow, unreachable, or refusing

private:
    const double sample_share_;
    mutable std::mutex mutex_;
    std::vector<Span> spans_;
};

}  // namespace confab::meter
