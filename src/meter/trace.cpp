#include "meter/trace.hpp"

#include <algorithm>
#include <random>
#include <span>

#include "base/ids.hpp"

namespace confab::meter {

namespace {

constexpr std::size_t kTraceparentBytes = 55;  // 00-<32>-<16>-<2>

std::mt19937_64& trace_randomness() {
    thread_local std::mt19937_64 generator{std::random_device{}()};
    return generator;
}

template <std::size_t N>
std::array<std::uint8_t, N> random_bytes() {
    static_assert(N % 8 == 0);
    std::array<std::uint8_t, N> bytes{};
    for (std::size_t at = 0; at < N; at += 8) {
        const std::uint64_t value = trace_randomness()();
        for (std::size_t i = 0; i < 8; ++i) {
            bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
        }
    }
    bytes[0] |= 1;  // zeros alone are no id
    return bytes;
}

// Lower case only, as the specification demands.
int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// False when it is not all hexadecimal.
bool read_hex(std::string_view text, std::span<std::uint8_t> bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const int high = hex_digit(text[2 * i]);
        const int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return true;
}

bool is_zero(std::span<const std::uint8_t> bytes) {
    return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view text) {
    std::array<std::uint8_t, 1> version{};
    std::array<std::uint8_t, 1> flags{};
    TraceContext context;
    const bool long_enough = text.size() >= kTraceparentBytes;
    if (!long_enough || text[2] != '-' || text[35] != '-' || text[52] != '-' || !read_hex(text, version) ||
        !read_hex(text.substr(3), context.trace) || !read_hex(text.substr(36), context.span) ||
        !read_hex(text.substr(53), flags)) {
        return std::nullopt;
    }
    const bool longer = text.size() > kTraceparentBytes;
    if (version[0] == 0xFF || (version[0] == 0 && longer) || (longer && text[kTraceparentBytes] != '-') ||
        is_zero(context.trace) || is_zero(context.span)) {
        return std::nullopt;
    }
    context.sampled = (flags[0] & 1) != 0;
    return context;
}

std::string render_traceparent(const TraceContext& context) {
    return "00-" + base::to_hex(context.trace) + "-" + base::to_hex(context.span) + (context.sampled ? "-01" : "-00");
}

TraceContext Tracer::begin(const std::optional<TraceContext>& caller) {
    TraceContext context;
    if (caller) {
        context = *caller;
    } else {
        context.trace = random_bytes<16>();
        context.sampled = std::uniform_real_distribution<double>(0, 1)(trace_randomness()) < sample_share_;
    }
    context.span = make_span_id();
    return context;
}

SpanId Tracer::make_span_id() {
    return random_bytes<8>();
}

void Tracer::record(Span span) {
    const std::lock_guard lock(mutex_);
    if (spans_.size() >= kSpansMax) {
        dropped.add();
        return;
    }
    spans_.push_back(std::move(span));
}

std::vector<Span> Tracer::take(std::size_t most) {
    std::vector<Span> taken;
    const std::lock_guard lock(mutex_);
    const auto count = static_cast<std::ptrdiff_t>(std::min(most, spans_.size()));
    taken.assign(std::move_iterator(spans_.begin()), std::move_iterator(spans_.begin() + count));
    spans_.erase(spans_.begin(), spans_.begin() + count);
    return taken;
}

std::size_t Tracer::waiting() const {
    const std::lock_guard lock(mutex_);
    return spans_.size();
}

}  // namespace confab::meter
