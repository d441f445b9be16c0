// POST /v1/chat/completions: passed on to the model's server as it came; nothing is stored.
#include <algorithm>

#include "api/body.hpp"
#include "api/chat_relay.hpp"
#include "api/demo_chat.hpp"
#include "api/idempotency.hpp"
#include "api/routes.hpp"
#include "base/json_skim.hpp"
#include "base/text.hpp"
#include "llm/completion.hpp"
#include "llm/error_body.hpp"
#include "llm/http_error.hpp"

namespace confab::api {

namespace {

using web::Access;

constexpr std::uint64_t kAnswerBytesMax = 32ULL * 1024 * 1024;

// Keeps the whole answer, on leased bytes; gives up when there are none.
class Collector final : public net::HttpSink {
public:
    explicit Collector(meter::Lease lease) : lease_(std::move(lease)) {}

    void on_head(const net::HttpHead& /*head*/) override {}

    net::Flow on_body(std::string_view bytes) override {
        if (body.size() + bytes.size() > lease_.bytes()) {
            leased = lease_.grow(std::max(kRelayLeaseBytes, static_cast<std::uint64_t>(bytes.size())));
        }
        if (!leased) {
            return net::Flow::finish;
        }
        body += bytes;
        return net::Flow::go_on;
    }

    // The answer, with its lease.
    Reply take_reply() {
        Reply reply = web::json_reply(std::move(body));
        reply.lease = std::move(lease_);
        return reply;
    }

    std::string body;
    base::Status leased;  // why the answer was given up

private:
    meter::Lease lease_;
};

struct ChatParameters {
    std::string model;
    bool stream = false;
    std::string_view further;  // a parameter that names more models; empty when there is none
};

// What is looked at here must be read alike by the model server, or it is asked for another model than was allowed: some
// take keys for the same that differ in case.
bool is_look_alike(std::string_view key) {
    constexpr std::string_view kLookedAt[] = {"model", "stream", "messages"};
    return std::ranges::any_of(kLookedAt, [key](std::string_view known) {
        return key != known && base::iequals(key, known);
    });
}

// Whom a server may ask instead: OpenRouter's `models` and `route`, LiteLLM's `fallbacks`.
std::string_view further_models(std::string_view key) {
    constexpr std::string_view kFurther[] = {"models", "route", "fallbacks"};
    const auto* const found = std::ranges::find_if(kFurther, [key](std::string_view name) { return base::iequals(key, name); });
    return found == std::end(kFurther) ? std::string_view() : *found;
}

// Of a request that is as it should be; nothing when a parser has to look at it. The messages go on as they are, so
// only their being there is looked at.
std::optional<ChatParameters> skim_chat_request(std::string_view body) {
    ChatParameters parameters;
    int models = 0;
    int streams = 0;
    int messages = 0;
    bool fits = true;
    const auto take = [&](const base::SkimmedMember& member) {
        if (member.key == "model") {
            ++models;
            const bool is_text = member.value.starts_with('"') && member.value.size() <= 2 + kModelBytesMax;
            fits = fits && is_text && member.value.find('\\') == std::string_view::npos;
            parameters.model = fits ? member.value.substr(1, member.value.size() - 2) : std::string_view();
        } else if (member.key == "stream") {
            ++streams;
            parameters.stream = member.value == "true";
            fits = fits && (parameters.stream || member.value == "false");
        } else if (member.key == "messages") {
            ++messages;
            fits = fits && member.value.starts_with('[') && !base::trim(member.value.substr(1)).starts_with(']');
        } else if (const auto further = further_models(member.key); !further.empty()) {
            parameters.further = further;
        } else {
            fits = fits && !is_look_alike(member.key);
        }
    };
    const bool whole = base::skim_object(body, take);
    if (!whole || !fits || models != 1 || messages != 1 || streams > 1) {
        return std::nullopt;
    }
    return parameters;
}

// A request that is odd (a key twice, or with escapes) goes on as it was understood here.
Result<ChatParameters> parse_chat_request(web::Request& request) {
    if (is_json_type(request.header("content-type"))) {
        if (auto skimmed = skim_chat_request(request.body)) {
            return *std::move(skimmed);
        }
    }
    TRY(const auto object, parse_body(request));
    const Fields fields(object);
    ChatParameters parameters;
    for (const auto& member : object) {
        const std::string_view key = member.key();
        if (is_look_alike(key)) {
            return base::invalid(std::string(key), "'" + std::string(key) + "' is not how a parameter is written here.", "unknown_parameter");
        }
        if (const auto further = further_models(key); !further.empty()) {
            parameters.further = further;
        }
    }
    TRY(parameters.model, fields.required_text("model", kModelBytesMax));
    TRY(const json::array* messages, fields.array("messages"));
    if (messages == nullptr) {
        return base::invalid("messages", "Missing required parameter: 'messages'.", "missing_required_parameter");
    }
    if (messages->empty()) {
        return base::invalid("messages", "'messages' is empty.", "empty_array");
    }
    TRY(const auto stream, fields.boolean("stream"));
    parameters.stream = stream.value_or(false);
    request.body = json::serialize(object);
    return parameters;
}

// Where not everybody may ask every model, a request names the one it asks.
base::Status check_further(const Context& context, const web::Request& request, const ChatParameters& parameters) {
    const bool restricted = request.caller.models || (!request.caller.admin && context.model_access.restricted());
    if (parameters.further.empty() || !restricted) {
        return {};
    }
    return base::invalid(
        std::string(parameters.further),
        "Not every model may be asked here, so a request names one, by 'model', and no others by '" +
            std::string(parameters.further) + "'.",
        "unsupported_parameter"
    );
}

// For the model server; empty when tracing is off.
std::string traceparent_of(Exchange& exchange) {
    const auto& trace = exchange.request().trace;
    return trace ? meter::render_traceparent(*trace) : std::string();
}

Result<meter::Lease> lease_relay(Context& context, Exchange& exchange) {
    return context.budget.try_lease(kRelayLeaseBytes, meter::Purpose::relays, exchange.request().caller.user_no);
}

// Who asked what; the ticket goes along.
RelayUsage begin_usage(Context& context, Exchange& exchange, std::string model, std::string upstream) {
    store::UsageEntry entry;
    entry.payer = payer_of(exchange);
    entry.model = std::move(model);
    entry.upstream = std::move(upstream);
    web::Request& request = exchange.request();
    return RelayUsage(context.usage, std::move(entry), std::move(request.caller.ticket), request.body);
}

Task<Result<Reply>> relay_stream(Context& context, Exchange& exchange, llm::UpstreamPtr upstream, RelayUsage usage) {
    CO_TRY(auto lease, lease_relay(context, exchange));
    auto relay = std::make_shared<ChatRelay>(
        context,
        std::move(upstream),
        std::move(exchange.request().body),
        traceparent_of(exchange),
        std::move(lease),
        std::move(usage)
    );
    relay->start();
    exchange.watch_client([relay] { relay->cancel(); });
    const auto refusal = co_await relay->wait_for_head();
    exchange.unwatch_client();
    if (refusal) {
        co_return std::unexpected(*refusal);
    }
    co_return web::stream_reply(std::make_unique<ChatRelayStreamer>(std::move(relay)));
}

Task<Result<Reply>> relay_document(Context& context, Exchange& exchange, llm::UpstreamPtr upstream, RelayUsage usage) {
    net::HttpRequest request;
    request.method = "POST";
    request.url = upstream->base_url + "/chat/completions";
    request.headers = llm::request_headers(*upstream, traceparent_of(exchange));
    request.body = std::move(exchange.request().body);
    request.deadline = net::Deadline::after(llm::kAnswerMax);
    request.body_bytes_max = kAnswerBytesMax;
    CO_TRY(auto lease, lease_relay(context, exchange));
    Collector sink(std::move(lease));
    llm::UpstreamCall call(context.client, context.shard.executor(), upstream, std::move(request), sink, usage.person());
    exchange.watch_client([&call] { call.cancel(); });
    const auto head = co_await call.send();
    exchange.unwatch_client();
    if (!head) {
        co_return std::unexpected(head.error());
    }
    CO_TRY_VOID(std::move(sink.leased));
    if (head->status >= 400) {
        co_return std::unexpected(llm::error_from_answer(*upstream, *head, sink.body));
    }
    if (auto problem = document_problem(sink.body)) {
        const std::array<std::string_view, 1> secrets{upstream->api_key};
        llm::redact(problem->message, std::span(secrets.data(), upstream->api_key.empty() ? 0 : 1));
        llm::redact(problem->code, std::span(secrets.data(), upstream->api_key.empty() ? 0 : 1));
        co_return std::unexpected(*problem);
    }
    usage.add_events(1, sink.body.size());
    usage.look_at(sink.body);
    usage.settle();
    co_return sink.take_reply();
}

// The demonstration counts like any other model.
Reply demo_reply(RelayUsage usage, bool stream) {
    const std::string document = demo_chat_document();
    usage.add_events(1, document.size());
    usage.settle();
    return stream ? web::stream_reply(make_demo_chat_streamer()) : web::json_reply(document);
}

Task<Result<Reply>> create_chat_completion(Context& context, Exchange& exchange, Once* once) {
    if (context.draining.load(std::memory_order_relaxed)) {
        co_return base::fail(
            base::Errc::unavailable, "The server is shutting down. Try again shortly.", "shutting_down"
        );
    }
    if (once != nullptr) {
        once->keep_answer = true;
    }
    CO_TRY(const auto parameters, parse_chat_request(exchange.request()));
    CO_TRY_VOID(co_await check_model(context, exchange.request(), parameters.model));
    CO_TRY_VOID(check_further(context, exchange.request(), parameters));
    CO_TRY(auto upstream, co_await context.upstreams.choose(parameters.model));
    std::string server = upstream ? upstream->name : std::string(llm::kDemoModel);
    RelayUsage usage = begin_usage(context, exchange, parameters.model, std::move(server));
    if (!upstream) {
        co_return demo_reply(std::move(usage), parameters.stream);
    }
    if (parameters.stream) {
        co_return co_await relay_stream(context, exchange, std::move(upstream), std::move(usage));
    }
    co_return co_await relay_document(context, exchange, std::move(upstream), std::move(usage));
}

// Nothing is stored of a chat completion, so its answer is kept for repetitions; one that was cut off is asked for again.
constexpr RepeatableRoute kCreateChatCompletion{
    "/v1/chat/completions",
    [](Context& /*context*/) { return std::string(); },
    create_chat_completion,
    nullptr,
    true
};

// A stream is made anew each time: the key means nothing there.
Task<Result<Reply>> answer_chat(Context& context, Exchange& exchange) {
    if (!exchange.request().has_header(kIdempotencyKey)) {
        co_return co_await create_chat_completion(context, exchange, nullptr);
    }
    CO_TRY(const auto parameters, parse_chat_request(exchange.request()));
    if (parameters.stream) {
        co_return co_await create_chat_completion(context, exchange, nullptr);
    }
    co_return co_await act_once(context, exchange, kCreateChatCompletion);
}

}  // namespace

void add_chat_completion_routes(Routes& routes) {
    routes.add_answering("POST", "/v1/chat/completions", Access::user, answer_chat, web::kBodyBytesMax).load = web::Load::run;
}

}  // namespace confab::api
