#include "base/error.hpp"

#include <string>

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>

namespace confab::base {
namespace {

TEST(Error, every_code_has_its_status_and_type) {
    struct Row {
        Errc errc;
        unsigned status;
        std::string_view type;
    };

    for (const Row& row : {
             Row{Errc::invalid_request, 400, "invalid_request_error"},
             Row{Errc::unauthenticated, 401, "authentication_error"},
             Row{Errc::forbidden, 403, "permission_error"},
             Row{Errc::not_found, 404, "not_found_error"},
             Row{Errc::method_not_allowed, 405, "invalid_request_error"},
             Row{Errc::request_timeout, 408, "invalid_request_error"},
             Row{Errc::conflict, 409, "invalid_request_error"},
             Row{Errc::precondition_failed, 412, "invalid_request_error"},
             Row{Errc::too_large, 413, "invalid_request_error"},
             Row{Errc::unsupported_media, 415, "invalid_request_error"},
             Row{Errc::misdirected, 421, "invalid_request_error"},
             Row{Errc::unprocessable, 422, "invalid_request_error"},
             Row{Errc::headers_too_large, 431, "invalid_request_error"},
             Row{Errc::rate_limited, 429, "rate_limit_error"},
             Row{Errc::cancelled, 499, "invalid_request_error"},
             Row{Errc::internal, 500, "server_error"},
             Row{Errc::upstream_failed, 502, "server_error"},
             Row{Errc::unavailable, 503, "server_error"},
             Row{Errc::upstream_timeout, 504, "server_error"},
             Row{Errc::storage_full, 507, "server_error"},
         }) {
        EXPECT_EQ(http_status(row.errc), row.status);
        EXPECT_EQ(error_type(row.errc), row.type) << row.status;
    }
}

Result<int> half_of(int number) {
    if (number % 2 != 0) {
        return invalid("number", "It is odd.");
    }
    return number / 2;
}

Result<int> quarter_of(int number) {
    TRY(const int half, half_of(number));
    TRY_VOID(half_of(half));
    return half_of(half);
}

TEST(Error, try_hands_on_the_value_or_the_error) {
    EXPECT_EQ(*quarter_of(8), 2);
    const auto failed = quarter_of(6);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().errc, Errc::invalid_request);
    EXPECT_EQ(failed.error().param, "number");
    EXPECT_EQ(failed.error().code, "invalid_value");
    EXPECT_EQ(failed.error().message, "It is odd.");
    EXPECT_FALSE(failed.error().retry_after);
}

TEST(Error, not_found_carries_its_code) {
    const Status status = not_found("No such conversation.", "conversation_not_found");
    EXPECT_EQ(status.error().errc, Errc::not_found);
    EXPECT_EQ(status.error().code, "conversation_not_found");
}

TEST(ErrorDeathTest, a_broken_invariant_ends_the_process) {
    EXPECT_DEATH(CONFAB_ASSERT(1 == 2), "broken invariant: 1 == 2");
    CONFAB_ASSERT(1 == 1);
}

}  // namespace
}  // namespace confab::base
