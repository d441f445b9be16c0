// /v1/responses: answers, made, watched, cancelled, looked up.
#include "api/idempotency.hpp"
#include "api/input_images.hpp"
#include "api/response_request.hpp"
#include "api/response_stream.hpp"
#include "api/routes.hpp"
#include "chat/event_json.hpp"
#include "chat/item_json.hpp"

namespace confab::api {

namespace {

using base::Errc;
using web::Access;

auto response_not_found(const std::string& id) {
    return base::not_found("Response with id '" + id + "' not found.", "not_found", "response_id");
}

std::string render_run(const chat::ResponseFacts& facts, const chat::ResponseEnd& end) {
    std::string body;
    chat::render_response(body, facts, end);
    return body;
}

// A failure before anything came is an error.
Result<Reply> answer_of(const chat::ResponseFacts& facts, const chat::ResponseEnd& end) {
    if (end.status == store::RunStatus::failed && end.output.empty()) {
        auto failed =
            base::fail(end.errc, end.error_message, end.error_code, end.error_code == "model_not_found" ? "model" : "");
        failed.error().retry_after = end.retry_after;
        return failed;
    }
    return web::json_reply(render_run(facts, end));
}

// The caller waits for the whole answer; when it leaves, the answer is cancelled.
Task<Result<Reply>> wait_for_answer(Exchange& exchange, chat::RunPtr run) {
    exchange.watch_client([run] { run->cancel(); });
    co_await run->wait_until_finished();
    exchange.unwatch_client();
    co_return answer_of(run->facts(), run->end());
}

// Parses the body and lets go of it, but not of its lease: what was parsed of it waits for the store.
Task<Result<ResponseRequest>> take_request(Context& context, Exchange& exchange) {
    CO_TRY(auto object, parse_body(exchange.request()));
    exchange.request().body = std::string();
    CO_TRY_VOID(co_await take_request_images(context, user_of(exchange), object));
    co_return parse_response_request(object);
}

Task<Result<Reply>> create_response(Context& context, Exchange& exchange, Once* once) {
    CO_TRY(auto request, co_await take_request(context, exchange));
    CO_TRY_VOID(co_await check_model(context, exchange.request(), request.run.model));
    request.run.user = user_of(exchange);
    request.run.trace = exchange.request().trace;
    request.run.payer = payer_of(exchange);
    request.run.ticket = std::move(exchange.request().caller.ticket);
    CO_TRY(request.run.input, co_await resolve_references(context, request.run.user, request.input));
    if (once != nullptr) {
        request.run.id = store::ResponseId::parse(once->made);
    }
    CO_TRY(const auto run, co_await context.runs.start(std::move(request.run), std::move(exchange.request().slot)));
    if (once != nullptr) {
        once->did = run->origin().persistent;
        once->keep_answer = !run->facts().stored;
    }
    // The input is stored, or leased by the run once it renders it; the answer may take an hour.
    exchange.request().lease.release();
    request.input.lease.release();
    if (request.stream) {
        co_return web::stream_reply(std::make_unique<ResponseStreamer>(context, user_of(exchange), run->facts().id, 0, run));
    }
    if (run->facts().background) {
        chat::ResponseEnd queued;
        queued.status = store::RunStatus::queued;
        co_return web::json_reply(render_run(run->facts(), queued));
    }
    co_return co_await wait_for_answer(exchange, run);
}

// A response under way or stored, rendered.
Task<Result<std::string>> render_found(Context& context, store::UserNo user, store::ResponseId id) {
    auto live = co_await context.directory.render(user, id);
    if (live) {
        co_return *std::move(live);
    }
    const auto run = co_await context.store.find_run(user, id);
    if (!run) {
        if (run.error().errc == Errc::not_found) {
            co_return response_not_found(id.str());
        }
        co_return std::unexpected(run.error());
    }
    co_return render_run(chat::facts_of(*run), chat::end_of(*run));
}

struct WayOfAnswering {
    bool stream = false;
    bool background = false;
};

Result<WayOfAnswering> parse_way(web::Request& request) {
    TRY(const auto object, parse_body(request));
    const Fields fields(object);
    WayOfAnswering way;
    TRY(const auto stream, fields.boolean("stream"));
    TRY(const auto background, fields.boolean("background"));
    way.stream = stream.value_or(false);
    way.background = background.value_or(false);
    return way;
}

// A repeated request gets what it would get had it waited: the stream from its beginning, or the response.
Task<Result<std::optional<Reply>>> find_answered(Context& context, Exchange& exchange, std::string made) {
    const auto id = *store::ResponseId::parse(made);
    CO_TRY(const auto way, parse_way(exchange.request()));
    exchange.request().body = std::string();
    exchange.request().lease.release();
    const bool live = (co_await context.directory.render(user_of(exchange), id)).has_value();
    if (live && !way.stream && !way.background) {
        co_return call_in_progress();
    }
    auto rendered = co_await render_found(context, user_of(exchange), id);
    if (!rendered && rendered.error().errc == Errc::not_found) {
        co_return std::nullopt;
    }
    if (!rendered) {
        co_return std::unexpected(rendered.error());
    }
    if (way.stream) {
        co_return web::stream_reply(std::make_unique<ResponseStreamer>(context, user_of(exchange), id, 0, nullptr));
    }
    if (way.background) {
        co_return web::json_reply(*std::move(rendered));
    }
    CO_TRY(const auto run, co_await context.store.find_run(user_of(exchange), id));
    co_return answer_of(chat::facts_of(run), chat::end_of(run));
}

constexpr RepeatableRoute kCreateResponse{
    "/v1/responses",
    [](Context& context) { return context.runs.make_id().str(); },
    create_response,
    find_answered
};

Result<chat::Sequence> parse_starting_after(const web::Request& request) {
    const auto text = request.query_value("starting_after");
    if (!text) {
        return chat::Sequence(0);
    }
    chat::Sequence after = 0;
    const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), after);
    if (ec != std::errc{} || end != text->data() + text->size() || after < 0 || after > 1'000'000'000) {
        return base::invalid("starting_after", "starting_after is the sequence number of an event.");
    }
    return after + 1;
}

Task<Result<Reply>> get_response(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ResponseId>(exchange.request(), 0, "Response"));
    CO_TRY(const auto from, parse_starting_after(exchange.request()));
    CO_TRY(auto rendered, co_await render_found(context, user_of(exchange), id));
    const auto stream = exchange.request().query_value("stream");
    if (stream && *stream == "true") {
        co_return web::stream_reply(std::make_unique<ResponseStreamer>(context, user_of(exchange), id, from, nullptr));
    }
    co_return web::json_reply(std::move(rendered));
}

Task<Result<Reply>> cancel_response(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ResponseId>(exchange.request(), 0, "Response"));
    CO_TRY(const auto run, co_await context.store.find_run(user_of(exchange), id));
    if (!run.background) {
        co_return base::fail(
            Errc::invalid_request, "Cannot cancel a synchronous response.", "not_cancellable", "response_id"
        );
    }
    co_await context.directory.cancel(user_of(exchange), id);
    CO_TRY(auto rendered, co_await render_found(context, user_of(exchange), id));
    co_return web::json_reply(std::move(rendered));
}

Task<Result<Reply>> delete_response(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ResponseId>(exchange.request(), 0, "Response"));
    co_await context.directory.cancel(user_of(exchange), id);
    const auto deleted = co_await context.store.delete_run(user_of(exchange), id);
    if (!deleted) {
        co_return std::unexpected(deleted.error());
    }
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("id", id.str());
    out.member("object", "response");
    out.member("deleted", true);
    out.end_object();
    co_return web::json_reply(std::move(body));
}

Task<Result<Reply>> list_input_items(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_path_id<store::ResponseId>(exchange.request(), 0, "Response"));
    CO_TRY(const auto page, parse_page<store::ItemId>(exchange.request()));
    CO_TRY(const auto items, co_await context.store.list_input_items(user_of(exchange), id, page));
    co_return web::json_reply(render_list(items, chat::render_item));
}

}  // namespace

void add_response_routes(Routes& routes) {
    routes.add_answering("POST", "/v1/responses", Access::user, repeatable<kCreateResponse>, web::kBodyBytesMax).load = web::Load::run;
    routes.add("GET", "/v1/responses/{id}", Access::user, get_response);
    routes.add("DELETE", "/v1/responses/{id}", Access::user, delete_response);
    routes.add("POST", "/v1/responses/{id}/cancel", Access::user, cancel_response).load = web::Load::essential;
    routes.add("GET", "/v1/responses/{id}/input_items", Access::user, list_input_items);
}

}  // namespace confab::api
