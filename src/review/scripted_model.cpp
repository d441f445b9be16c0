#include "review/scripted_model.hpp"

#include <algorithm>
#include <charconv>

#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include "base/json.hpp"
#include "base/log.hpp"

namespace confab::review {

namespace {

namespace http = boost::beast::http;
using net::Task;
using Ec = boost::system::error_code;

constexpr std::uint64_t kPromptBytesMax = 256ULL * 1024 * 1024;
constexpr int kPiecesMax = 100'000;
constexpr int kIntervalMsMax = 60'000;
constexpr int kPieceBytesMax = 64 * 1024;
constexpr std::string_view kModelPrefix = "review-";

// A context that every length of conversation fills, so that all prompts are equally long.
constexpr std::string_view kModels =
    R"({"object":"list","data":[{"id":"review-n32-i0-s5","object":"model","created":0,"owned_by":"review","max_model_len":8192}]})";

void take_part(std::string_view name, std::string_view part, int most, int& value) {
    const auto at = name.find(part);
    if (at == std::string_view::npos) {
        return;
    }
    const std::string_view digits = name.substr(at + part.size());
    if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc{}) {
        value = most;
    }
    value = std::clamp(value, 0, most);
}

std::string response(std::string_view body) {
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + std::string(body);
}

// A server-sent event as one chunk of the transfer coding.
std::string event(std::string_view data) {
    char size[16];
    const auto end = std::to_chars(size, size + sizeof size, data.size() + 8, 16).ptr;
    return std::string(size, end) + "\r\ndata: " + std::string(data) + "\n\n\r\n";
}

std::string chunk(std::string_view delta, std::string_view finish) {
    return R"({"id":"chatcmpl-review","object":"chat.completion.chunk","created":0,"model":"review","choices":[{"index":0,"delta":)" +
           std::string(delta) + R"(,"finish_reason":)" + std::string(finish) + "}]}";
}

std::string piece_text(int bytes) {
    std::string text;
    while (static_cast<int>(text.size()) < bytes) {
        text += "word ";
    }
    text.resize(static_cast<std::size_t>(bytes));
    return text;
}

std::string completion(const Script& script) {
    std::string text;
    const std::string piece = piece_text(script.piece_bytes);
    for (int i = 0; i < script.pieces; ++i) {
        text += piece;
    }
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("id", "chatcmpl-review");
    out.member("object", "chat.completion");
    out.member("created", 0);
    out.member("model", "review");
    out.key("choices");
    out.begin_array();
    out.begin_object();
    out.member("index", 0);
    out.raw_member("message", R"({"role":"assistant","content":")" + text + R"("})");
    out.member("finish_reason", "stop");
    out.end_object();
    out.end_array();
    out.raw_member("usage", R"({"prompt_tokens":1,"completion_tokens":1,"total_tokens":2})");
    out.end_object();
    return body;
}

Task<bool> put(net::TcpSocket& socket, const std::string& bytes) {
    Ec ec;
    co_await net::asio::async_write(socket, net::asio::buffer(bytes), net::asio::redirect_error(net::use_task, ec));
    co_return !ec;
}

// Holds a count one higher while it lives.
class Counted {
public:
    explicit Counted(std::uint64_t& count) : count_(count) { ++count_; }

    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

    ~Counted() { --count_; }

private:
    std::uint64_t& count_;
};

}  // namespace

Script Script::of_model(std::string_view name) {
    Script script;
    if (name.starts_with(kModelPrefix)) {
        name.remove_prefix(kModelPrefix.size() - 1);
        take_part(name, "-n", kPiecesMax, script.pieces);
        take_part(name, "-i", kIntervalMsMax, script.interval_ms);
        take_part(name, "-s", kPieceBytesMax, script.piece_bytes);
    }
    return script;
}

std::string Script::model() const {
    return std::string(kModelPrefix) + "n" + std::to_string(pieces) + "-i" + std::to_string(interval_ms) + "-s" +
           std::to_string(piece_bytes);
}

ScriptedModel::ScriptedModel(net::Executor executor)
    : acceptor_(executor, net::asio::ip::tcp::endpoint(net::asio::ip::address_v4::loopback(), 0)),
      tasks_(executor, "scripted model") {}

ScriptedModel::~ScriptedModel() = default;

std::string ScriptedModel::base_url() const {
    return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/v1";
}

void ScriptedModel::start() {
    tasks_.spawn(accept_loop());
}

Task<void> ScriptedModel::close() {
    Ec ec;
    acceptor_.close(ec);
    tasks_.cancel();
    co_await tasks_.join();
}

Task<void> ScriptedModel::accept_loop() {
    while (true) {
        Ec ec;
        net::TcpSocket socket = co_await acceptor_.async_accept(net::asio::redirect_error(net::use_task, ec));
        if (ec == net::asio::error::operation_aborted || !acceptor_.is_open()) {
            co_return;
        }
        if (!ec) {
            ++counts_.connections_opened;
            Ec ignored;
            socket.set_option(net::asio::ip::tcp::no_delay(true), ignored);
            tasks_.spawn(serve(std::move(socket)));
        }
    }
}

Task<void> ScriptedModel::serve(net::TcpSocket socket) {
    const Counted live(counts_.connections_live);
    boost::beast::flat_buffer buffer;
    while (true) {
        Ec ec;
        http::request_parser<http::string_body> parser;
        parser.body_limit(kPromptBytesMax);
        co_await http::async_read(socket, buffer, parser, net::asio::redirect_error(net::use_task, ec));
        if (ec) {
            co_return;
        }
        const std::string body = std::move(parser.get().body());
        bool sent = false;
        if (parser.get().method() == http::verb::get) {
            const std::string models = response(kModels);
            sent = co_await put(socket, models);
        } else {
            sent = co_await answer(socket, body);
        }
        if (!sent || !parser.get().keep_alive()) {
            co_return;
        }
    }
}

Task<bool> ScriptedModel::answer(net::TcpSocket& socket, std::string_view request_body) {
    ++counts_.answers;
    counts_.prompt_bytes += request_body.size();
    const Counted live(counts_.answers_live);
    constexpr std::string_view kModel = R"("model":")";
    const auto at = request_body.find(kModel);
    const std::string_view name = at == std::string_view::npos ? "" : request_body.substr(at + kModel.size());
    const Script script = Script::of_model(name.substr(0, name.find('"')));
    if (request_body.find(R"("stream":true)") != std::string_view::npos) {
        co_return co_await stream(socket, script);
    }
    // Whole, after as long as a streamed one takes.
    co_await net::sleep_for(std::chrono::milliseconds(script.interval_ms) * script.pieces);
    const std::string whole = response(completion(script));
    co_return co_await put(socket, whole);
}

Task<bool> ScriptedModel::stream(net::TcpSocket& socket, Script script) {
    const std::string head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
        event(chunk(R"({"role":"assistant","content":""})", "null"));
    if (!co_await put(socket, head)) {
        co_return false;
    }
    const std::string piece = event(chunk(R"({"content":")" + piece_text(script.piece_bytes) + R"("})", "null"));
    for (int i = 0; i < script.pieces; ++i) {
        if (script.interval_ms > 0) {
            co_await net::sleep_for(std::chrono::milliseconds(script.interval_ms));
        }
        if (!co_await put(socket, piece)) {
            co_return false;
        }
    }
    const std::string end = event(chunk("{}", R"("stop")")) + event("[DONE]") + "0\r\n\r\n";
    co_return co_await put(socket, end);
}

}  // namespace confab::review
