#include "net/http_failure.hpp"

#include <curl/curl.h>

namespace confab::net {

base::Error http_failure(base::Errc errc, std::string code, std::string message) {
    base::Error error;
    error.errc = errc;
    error.code = std::move(code);
    error.message = std::move(message);
    return error;
}

namespace {

// Scheme and host of where a redirect points, without what could be secret (user, path, query).
std::string redirect_target(std::string_view location) {
    const auto slashes = location.find("//");
    const bool absolute = slashes == 0 || (slashes <= 10 && location[slashes - 1] == ':');
    if (!absolute) {
        return "another path of the same server";
    }
    const std::string_view rest = location.substr(slashes + 2);
    std::string_view host = rest.substr(0, rest.find_first_of("/?#\\"));
    host.remove_prefix(host.rfind('@') == std::string_view::npos ? 0 : host.rfind('@') + 1);
    std::string target(location.substr(0, slashes + 2));
    for (const char c : host.substr(0, 253)) {
        target += c > ' ' && c < 0x7F ? c : '?';
    }
    return target;
}

}  // namespace

base::Error redirected(unsigned status, std::string_view location) {
    return http_failure(
        base::Errc::upstream_failed,
        "upstream_redirect",
        "The model server redirects (HTTP " + std::to_string(status) + ") to " + redirect_target(location) +
            ". Confab does not follow, for the API key must not go elsewhere: correct the server's base URL."
    );
}

base::Error curl_failure(int code, const char* detail) {
    const auto result = static_cast<CURLcode>(code);
    const std::string text = *detail != '\0' ? detail : curl_easy_strerror(result);
    switch (result) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
            return http_failure(
                base::Errc::upstream_failed,
                "upstream_unreachable",
                "The model server's host name cannot be resolved: " + text + "."
            );
        case CURLE_COULDNT_CONNECT:
            return http_failure(
                base::Errc::upstream_failed, "upstream_unreachable", "The model server cannot be reached: " + text + "."
            );
        case CURLE_OPERATION_TIMEDOUT:
            return http_failure(
                base::Errc::upstream_timeout,
                "upstream_timeout",
                "The model server did not answer in time: " + text + "."
            );
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        case CURLE_SSL_INVALIDCERTSTATUS:
            return http_failure(
                base::Errc::upstream_failed,
                "upstream_tls",
                "The secure connection to the model server failed: " + text + "."
            );
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
            return http_failure(
                base::Errc::upstream_failed,
                "upstream_bad_url",
                "The model server's base URL is not usable: " + text + "."
            );
        default:
            return http_failure(
                base::Errc::upstream_failed,
                "upstream_disconnected",
                "The connection to the model server broke: " + text + "."
            );
    }
}

}  // namespace confab::net
