#include "review/as_reviewed.hpp"

#include <atomic>
#include <csignal>
#include <list>
#include <thread>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "base/json.hpp"
#include "net/http_client.hpp"
#include "review/as_reviewed_store.hpp"

namespace confab::review {

namespace {

namespace http = boost::beast::http;
namespace asio = boost::asio;
using base::Errc;
using base::Result;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;
using History = std::vector<LoadedMessage>;

constexpr std::size_t kPromptMessages = 20;
constexpr std::uint64_t kRequestBodyMax = 64ULL * 1024 * 1024;

// ---- the model server ----

class WholeAnswer final : public net::HttpSink {
public:
    void on_head(const net::HttpHead&) override {}

    net::Flow on_body(std::string_view bytes) override {
        text_ += bytes;
        return net::Flow::go_on;
    }

    const std::string& text() const { return text_; }

private:
    std::string text_;
};

std::string render_prompt(const std::string& model, const History& history) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("model", model);
    out.key("messages");
    out.begin_array();
    for (std::size_t i = history.size() - std::min(history.size(), kPromptMessages); i < history.size(); ++i) {
        out.begin_object();
        out.member("role", history[i].assistant ? "assistant" : "user");
        out.member("content", history[i].text);
        out.end_object();
    }
    out.end_array();
    out.end_object();
    return body;
}

net::Task<Result<net::HttpHead>> send_prompt(net::HttpClient& client, std::string url, std::string prompt, WholeAnswer& answer) {
    net::HttpRequest request;
    request.method = "POST";
    request.url = url + "/chat/completions";
    request.headers = {"Content-Type: application/json"};
    request.body = std::move(prompt);
    net::HttpCall call(client, std::move(request), answer);
    co_return co_await call.send();
}

// A client for this call.
Result<std::string> ask_model(const std::string& url, std::string prompt) {
    net::Shard shard(0);
    net::HttpClient client(shard);
    WholeAnswer answer;
    Result<net::HttpHead> head;
    net::asio::co_spawn(
        shard.executor(),
        send_prompt(client, url, std::move(prompt), answer),
        [&](std::exception_ptr failure, Result<net::HttpHead> result) {
            head = std::move(result);
            shard.stop();
            if (failure) {
                std::rethrow_exception(failure);
            }
        }
    );
    shard.run();
    if (!head) {
        return std::unexpected(head.error());
    }
    TRY(const auto value, base::parse_json(answer.text()));
    boost::system::error_code ec;
    const auto* content = value.find_pointer("/choices/0/message/content", ec);
    if (content == nullptr || !content->is_string()) {
        return base::fail(Errc::upstream_failed, "The model server's answer is none.");
    }
    return std::string(content->get_string());
}

// ---- the page ----

std::string render_history(const History& history) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "list");
    out.key("data");
    out.begin_array();
    for (const LoadedMessage& message : history) {
        out.begin_object();
        out.member("id", message.id);
        out.member("type", "message");
        out.member("role", message.assistant ? "assistant" : "user");
        out.member("content", message.text);
        out.end_object();
    }
    out.end_array();
    out.member("has_more", false);
    out.end_object();
    return body;
}

std::string render_answer(const std::string& text) {
    std::string delta;
    base::JsonWriter out(delta);
    out.begin_object();
    out.member("type", "response.output_text.delta");
    out.member("delta", text);
    out.end_object();
    return "event: response.output_text.delta\ndata: " + delta +
           "\n\nevent: response.completed\ndata: {\"type\":\"response.completed\"}\n\n";
}

// A visitor: lives as long as their connection, and remembers what it shows.
class Visit {
public:
    Visit(AsReviewedStore& store, const std::string& model_url, asio::ip::tcp::socket socket)
        : store_(store), model_url_(model_url), socket_(std::move(socket)) {}

    void run() {
        boost::beast::flat_buffer buffer;
        boost::system::error_code ec;
        while (!ec) {
            http::request_parser<http::string_body> parser;
            parser.body_limit(kRequestBodyMax);
            http::read(socket_, buffer, parser, ec);
            if (ec) {
                return;
            }
            Response response = answer(parser.get());
            response.keep_alive(parser.get().keep_alive());
            response.prepare_payload();
            http::write(socket_, response, ec);
        }
    }

private:
    static Response reply(http::status status, const char* type, std::string body) {
        Response response(status, 11);
        response.set(http::field::content_type, type);
        response.body() = std::move(body);
        return response;
    }

    static Response failure(const base::Error& error) {
        return reply(http::int_to_status(base::http_status(error.errc)), "text/plain", error.message);
    }

    Response answer(const Request& request) {
        constexpr std::string_view kBefore = "/conversations/";
        const std::string target(request.target());
        if (request.method() == http::verb::post) {
            return take_turn(request.body());
        }
        const auto at = target.find(kBefore);
        if (at == std::string::npos) {
            return reply(http::status::ok, "application/json", R"({"object":"list","data":[]})");
        }
        const auto begin = at + kBefore.size();
        auto history = store_.load_history(target.substr(begin, target.find('/', begin) - begin));
        if (!history) {
            return failure(history.error());
        }
        shown_ = std::move(*history);
        return reply(http::status::ok, "application/json", render_history(shown_));
    }

    Response take_turn(const std::string& body) {
        const auto value = base::parse_json(body);
        if (!value || !value->is_object()) {
            return failure(base::invalid("body", "The request is malformed.").error());
        }
        const std::string conversation(base::find_string(value->get_object(), "conversation"));
        const std::string model(base::find_string(value->get_object(), "model"));
        const LoadedMessage question{"", false, std::string(base::find_string(value->get_object(), "input"))};
        const auto text = converse(conversation, model, question);
        return text ? reply(http::status::ok, "text/event-stream", render_answer(*text)) : failure(text.error());
    }

    Result<std::string> converse(const std::string& conversation, const std::string& model, const LoadedMessage& question) {
        TRY(shown_, store_.load_history(conversation));
        TRY_VOID(store_.store_message(conversation, question));
        shown_.push_back(question);
        TRY(std::string text, ask_model(model_url_, render_prompt(model, shown_)));
        LoadedMessage answer{"", true, text};
        TRY_VOID(store_.store_message(conversation, answer));
        shown_.push_back(std::move(answer));
        return text;
    }

    AsReviewedStore& store_;
    const std::string& model_url_;
    asio::ip::tcp::socket socket_;
    History shown_;
};

struct VisitThread {
    std::atomic<bool> over{false};
    std::jthread thread;
};

}  // namespace

base::Status serve_as_reviewed(const AsReviewedOptions& options, void (*announce)(const std::string& line)) {
    std::signal(SIGPIPE, SIG_IGN);
    AsReviewedStore store(options.data_dir + "/confab.db");
    asio::io_context context{1};
    boost::system::error_code ec;
    asio::ip::tcp::acceptor acceptor(context);
    const asio::ip::tcp::endpoint any(asio::ip::address_v4::loopback(), 0);
    acceptor.open(any.protocol(), ec);
    acceptor.bind(any, ec);
    acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) {
        return base::fail(Errc::internal, "Cannot listen: " + ec.message() + ".");
    }
    announce("Listens on http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()));
    std::list<VisitThread> visits;
    while (true) {
        asio::ip::tcp::socket socket(context);
        acceptor.accept(socket, ec);
        visits.remove_if([](const VisitThread& visit) { return visit.over.load(); });
        if (ec) {
            continue;
        }
        VisitThread& visit = visits.emplace_back();
        visit.thread = std::jthread([&store, &options, &visit, taken = std::move(socket)]() mutable {
            Visit(store, options.model_url, std::move(taken)).run();
            visit.over = true;
        });
    }
}

}  // namespace confab::review
