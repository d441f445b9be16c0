// HttpAnswerParser: the bytes of an HTTP/1.x answer -> its head and body, without copying; sans-I/O.
#pragma once

#include <boost/beast/http/basic_parser.hpp>

#include "net/http_transfer.hpp"

namespace confab::net {

class HttpAnswerParser final : private boost::beast::http::basic_parser<false> {
public:
    explicit HttpAnswerParser(HttpTransfer& transfer);

    // Takes what it can and returns how many bytes that were; the rest is to be offered again with more behind it, or
    // after the pause. `ec` is set when this is no HTTP, or the transfer failed.
    std::size_t feed(std::string_view bytes, boost::beast::error_code& ec);
    // The server closed. False when the answer was not whole.
    bool end_of_stream();

    bool done() const { return is_done() && !interim_; }

    // A 1xx answer is over: the real one follows, for a new parser.
    bool interim_done() const { return is_done() && interim_; }

    bool began() const { return began_; }

    bool paused() const { return paused_; }

    void resume() { paused_ = false; }

    // The connection can carry another request.
    bool reusable() const { return keep_alive() && !need_eof(); }

private:
    using Code = boost::beast::error_code&;
    using Text = boost::beast::string_view;

    void on_request_impl(boost::beast::http::verb, Text, Text, int, Code) override {}

    void on_response_impl(int status, Text reason, int version, Code ec) override;
    void on_field_impl(boost::beast::http::field name, Text, Text value, Code ec) override;
    void on_header_impl(Code ec) override;

    void on_body_init_impl(const boost::optional<std::uint64_t>&, Code ec) override { ec = {}; }

    std::size_t on_body_impl(Text body, Code ec) override;

    void on_chunk_header_impl(std::uint64_t, Text, Code ec) override { ec = {}; }

    std::size_t on_chunk_body_impl(std::uint64_t, Text body, Code ec) override { return on_body_impl(body, ec); }

    void on_finish_impl(Code ec) override { ec = {}; }

    HttpTransfer& transfer_;
    unsigned status_ = 0;
    bool began_ = false;
    bool interim_ = false;  // a 1xx answer: another one follows
    bool paused_ = false;
};

}  // namespace confab::net
