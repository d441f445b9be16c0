// A request's head: what the gate admits, Beast reads in the same way, and no path that is decoded can climb or hide.
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "base/text.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "web/gate.hpp"
#include "web/router.hpp"

namespace {

namespace http = boost::beast::http;

std::size_t count(std::string_view text, std::string_view what) {
    std::size_t found = 0;
    for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) {
        ++found;
    }
    return found;
}

void check_target(std::string_view target) {
    const auto question = target.find('?');
    if (const auto path = confab::web::decode_path(target.substr(0, question))) {
        FUZZ_CHECK(path->find('\0') == std::string::npos);
        FUZZ_CHECK(path->find('\\') == std::string::npos);
        FUZZ_CHECK(count(*path, "/") == count(target.substr(0, question), "/"));
        FUZZ_CHECK(confab::base::is_utf8(*path));
    }
    if (question != std::string_view::npos) {
        confab::web::decode_query(target.substr(question + 1));
    }
}

void check_admitted(std::string_view head, const confab::web::GateVerdict& verdict) {
    FUZZ_CHECK(!(verdict.chunked && verdict.content_length));
    FUZZ_CHECK(!(verdict.chunked && verdict.http_1_0));
    FUZZ_CHECK(!verdict.host.empty());
    http::request_parser<http::empty_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(confab::web::kHeadBytesMax));
    parser.body_limit(boost::none);
    boost::system::error_code ec;
    parser.put(boost::asio::const_buffer(head.data(), head.size()), ec);
    if ((ec && ec != http::error::need_buffer && ec != http::error::unexpected_body) || !parser.is_header_done()) {
        return;  // refused by the second parser: 400
    }
    FUZZ_CHECK(parser.chunked() == verdict.chunked);
    const auto length = parser.content_length();
    FUZZ_CHECK(length.has_value() == verdict.content_length.has_value());
    FUZZ_CHECK(!length || *length == *verdict.content_length);
    FUZZ_CHECK(parser.get().count(http::field::host) == 1);
    const auto target = parser.get().target();
    FUZZ_CHECK(std::string_view(target.data(), target.size()) == verdict.target);
    check_target(verdict.target);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = confab::fuzz::as_text(data, size);
    const auto end = text.find("\r\n\r\n");
    const std::string_view head = end == std::string_view::npos ? text : text.substr(0, end + 4);
    if (const auto verdict = confab::web::admit_head(head); verdict && end != std::string_view::npos) {
        check_admitted(head, *verdict);
    }
    check_target(text);
    return 0;
}
