#include "net/http_answer_parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

namespace confab::net {

namespace {

namespace http = boost::beast::http;

constexpr std::uint32_t kHeadBytesMax = 64 * 1024;

std::string_view view(boost::beast::string_view text) {
    return {text.data(), text.size()};
}

}  // namespace

HttpAnswerParser::HttpAnswerParser(HttpTransfer& transfer) : transfer_(transfer) {
    header_limit(kHeadBytesMax);
    body_limit(boost::none);  // the transfer counts
    eager(true);
}

std::size_t HttpAnswerParser::feed(std::string_view bytes, boost::beast::error_code& ec) {
    ec = {};
    if (bytes.empty() || paused_) {
        return 0;
    }
    began_ = true;
    const std::size_t used = put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
    if (ec == http::error::need_more || ec == http::error::need_buffer) {
        ec = {};
    }
    return used;
}

bool HttpAnswerParser::end_of_stream() {
    if (!began_) {
        return false;
    }
    boost::beast::error_code ec;
    if (!is_done()) {
        put_eof(ec);
    }
    return !ec && done();
}

void HttpAnswerParser::on_response_impl(int status, Text /*reason*/, int /*version*/, Code ec) {
    ec = {};
    status_ = static_cast<unsigned>(status);
    interim_ = status_ < 200;
    transfer_.head = HttpHead{};
    transfer_.location.clear();
}

void HttpAnswerParser::on_field_impl(http::field name, Text /*name*/, Text value, Code ec) {
    ec = {};
    if (name == http::field::content_type) {
        transfer_.head.content_type = view(value);
    } else if (name == http::field::retry_after) {
        transfer_.head.retry_after = view(value);
    } else if (name == http::field::location) {
        transfer_.location = view(value);
    }
}

void HttpAnswerParser::on_header_impl(Code ec) {
    ec = {};
    if (!interim_) {
        transfer_.deliver_head(status_);
    }
}

std::size_t HttpAnswerParser::on_body_impl(Text body, Code ec) {
    const auto flow = transfer_.deliver_body(view(body));
    if (!flow) {
        ec = http::error::body_limit;
        return 0;
    }
    if (*flow == Flow::pause) {
        paused_ = true;
        ec = http::error::need_buffer;
        return 0;
    }
    ec = {};
    return body.size();
}

}  // namespace confab::net
