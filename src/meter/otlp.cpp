#include "meter/otlp.hpp"

#include "base/ids.hpp"
#include "base/json.hpp"

namespace confab::meter {

namespace {

constexpr int kStatusError = 2;

std::string unix_nanoseconds(Span::Time time) {
    const auto ago = std::chrono::steady_clock::now() - time;
    const auto then = std::chrono::system_clock::now().time_since_epoch() - ago;
    return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(then).count());
}

void write_attribute(base::JsonWriter& out, const char* name, const std::variant<std::int64_t, std::string>& value) {
    out.begin_object();
    out.member("key", name);
    out.key("value");
    out.begin_object();
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        out.member("intValue", std::to_string(*number));
    } else {
        out.member("stringValue", std::get<std::string>(value));
    }
    out.end_object();
    out.end_object();
}

void write_span(base::JsonWriter& out, const Span& span) {
    out.begin_object();
    out.member("traceId", base::to_hex(span.trace));
    out.member("spanId", base::to_hex(span.id));
    if (span.parent != SpanId{}) {
        out.member("parentSpanId", base::to_hex(span.parent));
    }
    out.member("name", span.name);
    out.member("kind", static_cast<int>(span.kind));
    out.member("startTimeUnixNano", unix_nanoseconds(span.begin));
    out.member("endTimeUnixNano", unix_nanoseconds(span.end));
    out.key("attributes");
    out.begin_array();
    for (const SpanAttribute& attribute : span.attributes) {
        write_attribute(out, attribute.name, attribute.value);
    }
    out.end_array();
    if (span.failed) {
        out.key("status");
        out.begin_object();
        out.member("code", kStatusError);
        out.end_object();
    }
    out.end_object();
}

}  // namespace

std::string render_otlp(std::span<const Span> spans, const std::string& version, const std::string& instance) {
    std::string text;
    base::JsonWriter out(text);
    out.begin_object();
    out.key("resourceSpans");
    out.begin_array();
    out.begin_object();
    out.key("resource");
    out.begin_object();
    out.key("attributes");
    out.begin_array();
    write_attribute(out, "service.name", "confab");
    write_attribute(out, "service.version", version);
    write_attribute(out, "service.instance.id", instance);
    out.end_array();
    out.end_object();
    out.key("scopeSpans");
    out.begin_array();
    out.begin_object();
    out.key("scope");
    out.begin_object();
    out.member("name", "confab");
    out.end_object();
    out.key("spans");
    out.begin_array();
    for (const Span& span : spans) {
        write_span(out, span);
    }
    out.end_array();
    out.end_object();
    out.end_array();
    out.end_object();
    out.end_array();
    out.end_object();
    return text;
}

}  // namespace confab::meter
