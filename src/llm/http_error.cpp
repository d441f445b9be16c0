#include "llm/http_error.hpp"

#include <array>

#include "llm/error_body.hpp"
#include "llm/retry.hpp"
#include "llm/upstream.hpp"

namespace confab::llm {

namespace {

using base::Errc;

Errc errc_of(unsigned status) {
    switch (status) {
        case 400: return Errc::invalid_request;
        case 404: return Errc::not_found;
        case 413: return Errc::too_large;
        case 422: return Errc::unprocessable;
        case 429: return Errc::rate_limited;
        default: return Errc::upstream_failed;
    }
}

}  // namespace

base::Error error_from_answer(const Upstream& upstream, const net::HttpHead& head, std::string_view body) {
    const std::array<std::string_view, 1> secrets{upstream.api_key};
    const std::span<const std::string_view> known(secrets.data(), upstream.api_key.empty() ? 0 : 1);
    ErrorBody said = parse_error_body(head.status, body, known);
    base::Error error;
    error.errc = errc_of(head.status);
    if (head.status == 401 || head.status == 403) {
        error.code = "upstream_refused_key";
        error.message = "The model server '" + upstream.name + "' refused Confab's API key (HTTP " +
                        std::to_string(head.status) +
                        "). An administrator has to set the right one. The server says: " + said.message;
    } else if (error.errc == Errc::upstream_failed) {
        error.code = "upstream_error";
        error.message = "The model server '" + upstream.name + "' failed (HTTP " + std::to_string(head.status) +
                        "): " + said.message;
    } else {
        error.code = said.code.empty() ? "upstream_error" : std::move(said.code);
        error.message = std::move(said.message);
    }
    error.retry_after = parse_retry_after(head.retry_after);
    if (error.retry_after > kRetryAfterObeyedMax) {
        error.message += " It asks to try again in " + std::to_string(error.retry_after->count()) + " seconds.";
    } else if (head.status == 429 && !error.retry_after) {
        error.retry_after = std::chrono::seconds(1);
    }
    return error;
}

}  // namespace confab::llm
