// The body of POST /v1/responses: a typed request, or an error that names what is wrong; never anything else.
#include "api/response_request.hpp"
#include "base/text.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

void check_request(const confab::api::ResponseRequest& request) {
    FUZZ_CHECK(request.input.items.size() <= confab::api::kInputItemsMax);
    for (const auto& item : request.input.items) {
        FUZZ_CHECK(confab::base::is_utf8(item.body));
        FUZZ_CHECK(item.tokens >= 0);
        if (item.format == confab::store::BodyFormat::json && !item.body.empty()) {
            FUZZ_CHECK(confab::base::parse_json(item.body).has_value());
        }
    }
    FUZZ_CHECK(request.run.echo.empty() || confab::base::parse_json(request.run.echo).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    confab::web::Request request;
    request.body = std::string(confab::fuzz::as_text(data, size));
    const auto body = confab::api::parse_body(request);
    if (!body) {
        FUZZ_CHECK(!body.error().message.empty());
        return 0;
    }
    if (const auto parsed = confab::api::parse_response_request(*body)) {
        check_request(*parsed);
    } else {
        FUZZ_CHECK(!parsed.error().message.empty());
        FUZZ_CHECK(confab::base::is_utf8(parsed.error().message));
    }
    return 0;
}
