// The request gate: decides over the raw bytes of a request head, before any parser interprets them.
//
// Beast alone accepts heads that another server in front may read differently (request smuggling): `Transfer-Encoding:
// xchunked`, `chunked, identity`, obs-fold, doubled Host and more. The gate admits only what RFC 9112 leaves no doubt
// about; everything else is refused and the connection closed, so that nothing pipelined behind it is ever read.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.hpp"

namespace confab::web {

inline constexpr std::size_t kHeadBytesMax = 16 * 1024;  // request line and headers
inline constexpr std::size_t kHeaderCountMax = 100;
inline constexpr std::size_t kTargetBytesMax = 8 * 1024;

// What the gate learned on its way; views into the head.
struct GateVerdict {
    std::string_view method;
    std::string_view target;
    std::string_view host;
    bool http_1_0 = false;
    bool chunked = false;
    std::optional<std::uint64_t> content_length;
};

// `head` is everything up to and including the empty line. Errors: invalid_request (400), headers_too_large (431).
base::Result<GateVerdict> admit_head(std::string_view head);

// Whether a Host header names this machine in a way that DNS rebinding cannot: localhost, an IP address, or one of
// `allowed` (names without port, lower case).
template <class Names>
bool host_is_allowed(std::string_view host, const Names& allowed);

std::string_view host_without_port(std::string_view host);
bool is_ip_or_localhost(std::string_view host_name);

template <class Names>
bool host_is_allowed(std::string_view host, const Names& allowed) {
    const std::string_view name = host_without_port(host);
    if (is_ip_or_localhost(name)) {
        return true;
    }
    for (const auto& entry : allowed) {
        if (entry == name) {
            return true;
        }
    }
    return false;
}

}  // namespace confab::web
