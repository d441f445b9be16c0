#include "base/error.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace confab::base {

namespace {

struct Row {
    Errc errc;
    unsigned status;
    std::string_view type;
};

constexpr std::string_view kInvalidRequest = "invalid_request_error";
constexpr std::string_view kServerError = "server_error";

// Types as OpenAI's clients know them (api facts, section 6 "Errors").
constexpr std::array kTable{
    Row{Errc::invalid_request, 400, kInvalidRequest},    Row{Errc::unauthenticated, 401, "authentication_error"},
    Row{Errc::forbidden, 403, "permission_error"},       Row{Errc::not_found, 404, "not_found_error"},
    Row{Errc::method_not_allowed, 405, kInvalidRequest}, Row{Errc::request_timeout, 408, kInvalidRequest},
    Row{Errc::conflict, 409, kInvalidRequest},           Row{Errc::precondition_failed, 412, kInvalidRequest},
    Row{Errc::too_large, 413, kInvalidRequest},          Row{Errc::unsupported_media, 415, kInvalidRequest},
    Row{Errc::misdirected, 421, kInvalidRequest},        Row{Errc::unprocessable, 422, kInvalidRequest},
    Row{Errc::headers_too_large, 431, kInvalidRequest},  Row{Errc::rate_limited, 429, "rate_limit_error"},
    Row{Errc::cancelled, 499, kInvalidRequest},          Row{Errc::internal, 500, kServerError},
    Row{Errc::upstream_failed, 502, kServerError},       Row{Errc::unavailable, 503, kServerError},
    Row{Errc::upstream_timeout, 504, kServerError},      Row{Errc::storage_full, 507, kServerError},
};

constexpr bool table_is_in_order() {
    for (std::size_t i = 0; i < kTable.size(); ++i) {
        if (static_cast<std::size_t>(kTable[i].errc) != i) {
            return false;
        }
    }
    return true;
}

static_assert(table_is_in_order(), "kTable is indexed by Errc");

}  // namespace

unsigned http_status(Errc errc) noexcept {
    return kTable[static_cast<std::size_t>(errc)].status;
}

std::string_view error_type(Errc errc) noexcept {
    return kTable[static_cast<std::size_t>(errc)].type;
}

void broken_invariant(const char* expression, const char* file, int line) {
    std::fprintf(stderr, "confab: broken invariant: %s (%s:%d)\n", expression, file, line);
    std::abort();
}

}  // namespace confab::base
