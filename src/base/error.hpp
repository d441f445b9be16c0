// Errors as values. An expected outcome is a Result<T>; lost infrastructure throws; a broken invariant asserts.
//
// One table (error.cpp) maps an Errc to its HTTP status and its OpenAI error type. `message` is for people and may be
// shown; `code` is stable and for programs; `param` names the offending field of a request.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace confab::base {

enum class Errc : std::uint8_t {
    invalid_request,      // 400 the request cannot be understood or breaks a rule
    unauthenticated,      // 401
    forbidden,            // 403
    not_found,            // 404 unknown, or somebody else's
    method_not_allowed,   // 405
    request_timeout,      // 408
    conflict,             // 409
    precondition_failed,  // 412
    too_large,            // 413
    unsupported_media,    // 415
    misdirected,          // 421 unknown Host
    unprocessable,        // 422
    headers_too_large,    // 431
    rate_limited,         // 429 the caller's quota
    cancelled,            // 499 nobody waits for the answer any more; never logged as an error
    internal,             // 500
    upstream_failed,      // 502 the model server refused or broke off
    unavailable,          // 503 our own pressure, or draining
    upstream_timeout,     // 504
    storage_full,         // 507
};

struct Error {
    Errc errc = Errc::internal;
    std::string message;
    std::string code;   // empty: null in the envelope
    std::string param;  // empty: null in the envelope
    std::optional<std::chrono::seconds> retry_after = std::nullopt;
};

template <class T>
using Result = std::expected<T, Error>;

using Status = Result<void>;

// HTTP status of an error, 400..599.
unsigned http_status(Errc errc) noexcept;

// The `type` of OpenAI's error envelope, for instance "invalid_request_error".
std::string_view error_type(Errc errc) noexcept;

inline std::unexpected<Error> fail(Errc errc, std::string message, std::string code = {}, std::string param = {}) {
    return std::unexpected<Error>(Error{errc, std::move(message), std::move(code), std::move(param), std::nullopt});
}

// A 400 that names the field.
inline std::unexpected<Error> invalid(std::string param, std::string message, std::string code = "invalid_value") {
    return fail(Errc::invalid_request, std::move(message), std::move(code), std::move(param));
}

inline std::unexpected<Error> not_found(std::string message, std::string code = "not_found", std::string param = {}) {
    return fail(Errc::not_found, std::move(message), std::move(code), std::move(param));
}

[[noreturn]] void broken_invariant(const char* expression, const char* file, int line);

}  // namespace confab::base

// Checked in release builds too: a broken invariant ends the process rather than the data.
#define CONFAB_ASSERT(expression) \
    ((expression) ? void(0) : ::confab::base::broken_invariant(#expression, __FILE__, __LINE__))

#define CONFAB_CONCAT_(a, b) a##b
#define CONFAB_CONCAT(a, b) CONFAB_CONCAT_(a, b)

// TRY(auto row, find(id)): declares `row` from the value, or returns the error. Works in plain functions.
#define TRY_IMPL_(declaration, expression, temporary, leave)                        \
    auto temporary = (expression);                                                  \
    if (!temporary) {                                                               \
        leave std::unexpected<::confab::base::Error>(std::move(temporary).error()); \
    }                                                                               \
    declaration = *std::move(temporary)
#define TRY(declaration, expression) TRY_IMPL_(declaration, expression, CONFAB_CONCAT(try_result_, __LINE__), return)
// The same inside a coroutine; the expression may hold one co_await.
#define CO_TRY(declaration, expression) \
    TRY_IMPL_(declaration, expression, CONFAB_CONCAT(try_result_, __LINE__), co_return)

#define CHECK_IMPL_(expression, temporary, leave)                                   \
    if (auto temporary = (expression); !temporary) {                                \
        leave std::unexpected<::confab::base::Error>(std::move(temporary).error()); \
    }                                                                               \
    static_assert(true)
// TRY_VOID(save(row)): returns the error, drops the value.
#define TRY_VOID(expression) CHECK_IMPL_(expression, CONFAB_CONCAT(try_result_, __LINE__), return)
#define CO_TRY_VOID(expression) CHECK_IMPL_(expression, CONFAB_CONCAT(try_result_, __LINE__), co_return)
