#include "web/gate.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"

namespace confab::web {

namespace {

using base::Errc;
using base::fail;
using base::Status;

constexpr std::array<std::string_view, 7> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

auto refuse(std::string message) {
    return fail(Errc::invalid_request, std::move(message), "bad_request");
}

// RFC 9110, section 5.6.2.
bool is_token_char(char c) {
    constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kOthers.find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, is_token_char);
}

bool is_field_value(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte == '\t' || (byte >= 0x20 && byte != 0x7F);
    });
}

bool is_visible_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

// Takes the next line off `rest`; it must end with CR LF and hold no other CR or LF.
std::optional<std::string_view> take_line(std::string_view& rest) {
    const auto end = rest.find('\n');
    if (end == std::string_view::npos || end == 0 || rest[end - 1] != '\r') {
        return std::nullopt;
    }
    const std::string_view line = rest.substr(0, end - 1);
    rest.remove_prefix(end + 1);
    if (line.find('\r') != std::string_view::npos) {
        return std::nullopt;
    }
    return line;
}

Status admit_request_line(std::string_view line, GateVerdict& verdict) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) {
        return refuse("The request line is malformed.");
    }
    verdict.method = line.substr(0, first);
    verdict.target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);
    if (std::ranges::find(kMethods, verdict.method) == kMethods.end()) {
        return refuse("The request method is unknown.");
    }
    if (version != "HTTP/1.1" && version != "HTTP/1.0") {
        return refuse("Only HTTP/1.1 and HTTP/1.0 are spoken here.");
    }
    verdict.http_1_0 = version == "HTTP/1.0";
    if (!verdict.target.starts_with('/') || !is_visible_ascii(verdict.target) ||
        verdict.target.size() > kTargetBytesMax) {
        return refuse("The request target must be a path of visible ASCII characters, at most 8 KiB long.");
    }
    return {};
}

Status admit_content_length(std::string_view value, GateVerdict& verdict) {
    std::uint64_t bytes = 0;
    const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), bytes);
    if (verdict.content_length || value.empty() || ec != std::errc{} || end != value.data() + value.size()) {
        return refuse("There must be at most one Content-Length, a plain number of bytes.");
    }
    verdict.content_length = bytes;
    return {};
}

bool is_host(std::string_view value) {
    return !value.empty() && std::ranges::all_of(value, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
               c == '_' || c == ':' || c == '[' || c == ']';
    });
}

Status admit_field(std::string_view line, GateVerdict& verdict) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
        return refuse("A header line is malformed or folded.");  // obs-fold begins with a space, which no name does
    }
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = base::trim(line.substr(colon + 1));
    if (!is_field_value(value)) {
        return refuse("A header value holds control characters.");
    }
    if (base::iequals(name, "host")) {
        if (!verdict.host.empty() || !is_host(value)) {
            return refuse("There must be exactly one Host header.");
        }
        verdict.host = value;
    } else if (base::iequals(name, "transfer-encoding")) {
        if (verdict.chunked || verdict.http_1_0 || !base::iequals(value, "chunked")) {
            return refuse("The only Transfer-Encoding is 'chunked', once, on HTTP/1.1.");
        }
        verdict.chunked = true;
    } else if (base::iequals(name, "content-length")) {
        return admit_content_length(value, verdict);
    }
    return {};
}

}  // namespace

base::Result<GateVerdict> admit_head(std::string_view head) {
    if (head.size() > kHeadBytesMax) {
        return fail(Errc::headers_too_large, "The request's headers are larger than 16 KiB.", "headers_too_large");
    }
    GateVerdict verdict;
    const auto request_line = take_line(head);
    if (!request_line) {
        return refuse("Lines of a request head must end with CR LF.");
    }
    TRY_VOID(admit_request_line(*request_line, verdict));
    std::size_t count = 0;
    while (true) {
        const auto line = take_line(head);
        if (!line) {
            return refuse("Lines of a request head must end with CR LF.");
        }
        if (line->empty()) {
            break;
        }
        if (++count > kHeaderCountMax) {
            return fail(Errc::headers_too_large, "The request has more than 100 headers.", "headers_too_large");
        }
        TRY_VOID(admit_field(*line, verdict));
    }
    if (!head.empty()) {
        return refuse("The request head is malformed.");
    }
    if (verdict.host.empty()) {
        return refuse("There must be exactly one Host header.");
    }
    if (verdict.chunked && verdict.content_length) {
        return refuse("Content-Length and Transfer-Encoding exclude each other.");
    }
    return verdict;
}

std::string_view host_without_port(std::string_view host) {
    if (host.starts_with('[')) {
        const auto bracket = host.find(']');
        return bracket == std::string_view::npos ? host : host.substr(0, bracket + 1);
    }
    return host.substr(0, host.find(':'));
}

bool is_ip_or_localhost(std::string_view name) {
    if (base::iequals(name, "localhost") || name.starts_with('[')) {
        return true;
    }
    // No registered name ends in a digit-only label, so digits and dots can only be an address.
    return !name.empty() && std::ranges::all_of(name, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

}  // namespace confab::web
