#include "api/chat_relay.hpp"

#include <algorithm>
#include <cstring>

#include "base/json.hpp"
#include "base/json_skim.hpp"
#include "base/text.hpp"
#include "llm/completion.hpp"
#include "llm/error_body.hpp"
#include "llm/http_error.hpp"

namespace confab::api {

namespace {

constexpr std::size_t kDocumentBytesMax = 8ULL * 1024 * 1024;
// A document is parsed to see whether it is a chat completion, unless it is larger: a parsed copy has several times its
// size. Then its ends and the word "choices" have to do.
constexpr std::size_t kParsedBytesMax = 256 * 1024;

net::HttpRequest make_request(const llm::Upstream& upstream, std::string body, const std::string& traceparent) {
    net::HttpRequest request;
    request.method = "POST";
    request.url = upstream.base_url + "/chat/completions";
    request.headers = llm::request_headers(upstream, traceparent);
    request.body = std::move(body);
    request.deadline = net::Deadline::after(llm::kAnswerMax);
    return request;
}

// As string_view::find, but for text that is full of quotation marks: that one stops at each.
const char* find_key(std::string_view data, std::string_view key) {
    return static_cast<const char*>(::memmem(data.data(), data.size(), key.data(), key.size()));
}

// The error that a data object carries, if any. Only objects that mention the word are parsed at all.
std::optional<base::Error> error_in(std::string_view data, bool is_error_event) {
    if (!is_error_event && find_key(data, "\"error\"") == nullptr) {
        return std::nullopt;
    }
    const auto value = base::parse_json(data);
    base::Error error;
    error.errc = base::Errc::upstream_failed;
    if (value && value->is_object()) {
        llm::ErrorBody said = llm::error_of(value->get_object());
        if (said.message.empty() && said.code.empty()) {
            return std::nullopt;
        }
        error.message = said.message.empty() ? "The model server failed without saying why." : std::move(said.message);
        error.code = std::move(said.code);
        return error;
    }
    if (!is_error_event) {
        return std::nullopt;
    }
    error.message = llm::tidy_message(data);
    return error;
}

// Some servers send comments as data, and some half an object when they break off. A client parses what it gets.
bool is_json_object(std::string_view data) {
    const std::string_view text = base::trim(data);
    return text.starts_with('{') && text.ends_with('}');
}

// The event ends its choice: "finish_reason" with a text.
bool names_finish_reason(std::string_view data) {
    constexpr std::string_view kKey = "\"finish_reason\":";
    const char* at = find_key(data, kKey);
    if (at == nullptr) {
        return false;
    }
    const std::string_view value = base::trim(std::string_view(at + kKey.size(), data.data() + data.size()));
    return value.starts_with('"') && !value.starts_with("\"\"");
}

base::Error bad_end(std::string code, std::string message) {
    base::Error error;
    error.errc = base::Errc::upstream_failed;
    error.code = std::move(code);
    error.message = std::move(message);
    return error;
}

}  // namespace

std::optional<base::Error> document_problem(std::string_view document) {
    bool has_choices = false;
    const bool whole = base::skim_object(document, [&has_choices](const base::SkimmedMember& member) {
        has_choices = has_choices || (member.key == "choices" && member.value.starts_with('['));
    });
    if (whole && has_choices) {
        return std::nullopt;
    }
    if (document.size() > kParsedBytesMax && is_json_object(document) && find_key(document, "\"choices\"") != nullptr) {
        return std::nullopt;
    }
    if (document.size() > kParsedBytesMax) {
        return bad_end("upstream_bad_answer", "The model server's answer is no chat completion.");
    }
    const auto value = base::parse_json(document);
    if (!value || !value->is_object()) {
        return bad_end("upstream_bad_answer", "The model server did not answer with JSON. Is its base URL right?");
    }
    const auto& object = value->get_object();
    if (const base::json::value* choices = base::find(object, "choices"); choices != nullptr && choices->is_array()) {
        return std::nullopt;
    }
    llm::ErrorBody said = llm::error_of(object);
    if (said.message.empty()) {
        return bad_end("upstream_bad_answer", "The model server's answer is no chat completion.");
    }
    return bad_end(said.code.empty() ? "upstream_error" : std::move(said.code), std::move(said.message));
}

ChatRelay::ChatRelay(
    Context& context,
    llm::UpstreamPtr upstream,
    std::string body,
    const std::string& traceparent,
    meter::Lease lease,
    RelayUsage usage
)
    : context_(context),
      upstream_(std::move(upstream)),
      usage_(std::move(usage)),
      call_(
          context.client,
          context.shard.executor(),
          upstream_,
          make_request(*upstream_, std::move(body), traceparent),
          *this,
          usage_.person()
      ),
      news_(context.shard.executor()),
      lease_(std::move(lease)) {}

void ChatRelay::start() {
    if (!context_.background.spawn(pump(shared_from_this()))) {
        end(base::fail(base::Errc::unavailable, "The server is shutting down. Try again shortly.", "shutting_down"));
    }
}

Task<void> ChatRelay::pump(std::shared_ptr<ChatRelay> self) {
    end(co_await self->call_.send());
}

void ChatRelay::on_head(const net::HttpHead& head) {
    if (head.status >= 400) {
        shape_ = Shape::refusal;
    } else {
        shape_ = head.content_type.find("json") != std::string::npos ? Shape::document : Shape::events;
    }
    if (shape_ == Shape::events) {
        news_.notify();
    }
}

net::Flow ChatRelay::on_body(std::string_view bytes) {
    if (shape_ != Shape::events) {
        if (document_.size() + bytes.size() > kDocumentBytesMax) {
            shape_ = Shape::refusal;
            return net::Flow::finish;
        }
        if (document_.size() + bytes.size() > lease_.bytes()) {
            if (auto leased = lease_.grow(std::max(kRelayLeaseBytes, static_cast<std::uint64_t>(bytes.size()))); !leased) {
                refusal_ = leased.error();
                shape_ = Shape::refusal;
                return net::Flow::finish;
            }
        }
        document_ += bytes;
        return net::Flow::go_on;
    }
    if (pending_.size() > kPendingBytesMax) {
        paused_ = true;
        return net::Flow::pause;
    }
    std::size_t events = 0;
    if (const std::size_t known = parser_.between_events() ? familiar_.match(bytes, events) : 0; known > 0) {
        usage_.add_events(events, known - events * familiar_.frame_bytes());
        pending_ += bytes.substr(0, known);
        said_something_ = true;
        bytes.remove_prefix(known);
    }
    if (const auto fed = bytes.empty() ? base::Status() : parser_.feed(bytes, *this); !fed) {
        add_error(fed.error());
    }
    return done_ ? net::Flow::finish : net::Flow::go_on;
}

llm::SseHandler::Next ChatRelay::on_event(const llm::SseEvent& event) {
    if (const auto error = error_in(event.data, event.type == "error")) {
        add_error(*error);
        return Next::stop;
    }
    if (event.data == "[DONE]") {
        add_data(event.data);
        done_ = true;
        return Next::stop;
    }
    if (event.data.empty() || event.data.starts_with(':')) {
        return Next::more;  // a comment that somebody on the way made data of
    }
    if (!is_json_object(event.data)) {
        add_error(bad_end("upstream_bad_answer", "The model server sent an event that cannot be understood."));
        return Next::stop;
    }
    add_data(event.data);
    said_something_ = true;
    const bool ends = names_finish_reason(event.data);
    finished_ = finished_ || ends;
    if (finished_) {
        usage_.look_at(event.data);  // it comes with the end, or after it
    }
    if (!ends) {
        usage_.add_events(1, 0);
        familiar_.learn(event.data);
    }
    return Next::more;
}

void ChatRelay::on_read_end() {
    if (shape_ == Shape::events) {
        push();
    }
}

// Straight to the client's socket while it takes everything; send_to() has to be woken only when it does not.
void ChatRelay::push() {
    if (writer_ != nullptr && !pending_.empty()) {
        const auto offered = writer_->offer(pending_);
        if (offered != web::StreamWriter::Offer::refused) {
            pending_.clear();
        }
        if (offered == web::StreamWriter::Offer::sent && !done_ && !paused_) {
            return;
        }
    }
    news_.notify();
}

// One JSON document although a stream was asked for: a stream of one event.
void ChatRelay::take_document() {
    if (auto problem = document_problem(document_)) {
        add_error(*problem);
        return;
    }
    std::ranges::replace(document_, '\r', ' ');  // would end a line too
    add_data(document_);
    usage_.add_events(1, document_.size());
    usage_.look_at(document_);
    said_something_ = finished_ = true;
}

void ChatRelay::add_data(std::string_view data) {
    pending_ += "data: ";
    const std::size_t begin = pending_.size();
    pending_ += data;
    // Several data lines become one: JSON does not mind. Few servers send them, so the search is nearly always in vain.
    for (std::size_t at = pending_.find('\n', begin); at != std::string::npos; at = pending_.find('\n', at)) {
        pending_[at] = ' ';
    }
    pending_ += "\n\n";
}

void ChatRelay::add_error(const base::Error& error) {
    base::Error shown = error;
    const std::array<std::string_view, 1> secrets{upstream_->api_key};
    llm::redact(shown.message, std::span(secrets.data(), upstream_->api_key.empty() ? 0 : 1));
    llm::redact(shown.code, std::span(secrets.data(), upstream_->api_key.empty() ? 0 : 1));
    add_data(web::error_body(shown));
    done_ = true;
}

void ChatRelay::end(const base::Result<net::HttpHead>& sent) {
    over_ = true;
    if (!sent && (shape_ == Shape::unknown || shape_ == Shape::refusal)) {
        refusal_ = sent.error();
    } else if (sent && shape_ == Shape::refusal && !refusal_) {
        refusal_ = llm::error_from_answer(*upstream_, *sent, document_);
    } else if (shape_ == Shape::document && sent) {
        take_document();
    } else if (!done_ && sent) {
        (void)parser_.finish(*this);  // an event that is too large was reported when it came
    }
    if (!done_ && !refusal_) {
        if (sent && !said_something_) {
            add_error(bad_end("empty_answer", "The model server ended its answer without saying anything."));
        } else if (sent && !finished_) {
            add_error(bad_end("upstream_disconnected", "The answer of the model server broke off."));
        } else if (sent) {
            add_data("[DONE]");
        } else if (sent.error().errc != base::Errc::cancelled) {
            add_error(sent.error());
        }
    }
    done_ = true;
    usage_.settle();
    news_.notify();
}

Task<std::optional<base::Error>> ChatRelay::wait_for_head() {
    while (!over_ && shape_ != Shape::events) {
        co_await news_.wait();
    }
    co_return refusal_;
}

Task<void> ChatRelay::send_to(web::StreamWriter& writer) {
    struct Attached {
        web::StreamWriter*& slot;

        ~Attached() { slot = nullptr; }
    } attached{writer_};

    writer_ = &writer;
    std::string sending;
    while (!writer.client_gone()) {
        if (done_ && pending_.size() <= kPendingBytesMax) {
            writer.end_with(pending_);
            co_return;
        }
        if (!pending_.empty() || writer.has_rest()) {
            sending.clear();
            std::swap(sending, pending_);
            if (!co_await writer.write(sending)) {
                break;
            }
        } else if (std::exchange(paused_, false)) {
            call_.resume();  // only now: what it delivers may go straight to the socket
        } else {
            co_await news_.wait();
        }
    }
    cancel();
}

void ChatRelay::cancel() {
    call_.cancel();
}

}  // namespace confab::api
