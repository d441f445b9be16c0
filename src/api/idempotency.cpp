#include "api/idempotency.hpp"

#include <algorithm>

#include <sodium.h>

#include "auth/tokens.hpp"

namespace confab::api {

namespace {

using base::Errc;
using store::CallState;

constexpr unsigned kClientErrorsEnd = 499;  // "nobody waits any more" says nothing about what was done

// Another one than that of any process before, which may have noted calls in the same store.
std::int64_t this_process() {
    static const std::int64_t number = [] {
        std::int64_t random = 0;
        randombytes_buf(&random, sizeof random);
        return random == 0 ? 1 : random;
    }();
    return number;
}

base::Status check_key(const web::Request& request) {
    const std::string_view key = request.header(kIdempotencyKey);
    const bool plain = std::ranges::all_of(key, [](char c) { return c >= 0x20 && c < 0x7F; });
    const auto keys = std::ranges::count(request.headers, kIdempotencyKey, &web::Header::name);
    if (key.empty() || key.size() > kIdempotencyKeyBytesMax || !plain || keys != 1) {
        return base::invalid(
            "Idempotency-Key", "An Idempotency-Key has 1 to 255 printable ASCII characters.", "invalid_idempotency_key"
        );
    }
    return {};
}

store::NewCall describe(Context& context, Exchange& exchange, const RepeatableRoute& route) {
    const web::Request& request = exchange.request();
    store::NewCall call;
    call.user = user_of(exchange);
    const std::string key(request.header(kIdempotencyKey));
    call.scope = auth::sha256(std::string(route.pattern) + "\n" + key);
    // The ids in a path are part of what is asked, not of the route.
    call.body = auth::sha256(request.path + "\n" + request.body);
    call.process = this_process();
    call.made = route.name(context);
    return call;
}

Reply replayed(Reply reply) {
    reply.headers.push_back({"idempotent-replayed", "true"});
    return reply;
}

// A repetition makes no answer of its own.
void let_go_of_quota(web::Request& request) {
    request.slot.release();
    request.caller.ticket.reset();
}

Result<Reply> kept_answer(store::Call call) {
    if (call.status == 0) {
        return base::fail(
            Errc::conflict,
            "This request was carried out already, but its answer was too large, or came as a stream, and was not kept. "
            "A new request needs a new Idempotency-Key.",
            "idempotent_answer_not_kept"
        );
    }
    return replayed(web::json_reply(std::move(call.answer), call.status));
}

Task<void> finish(Context& context, store::FinishedCall finished) {
    (void)co_await context.store.finish_call(std::move(finished));
}

Task<void> interrupt(Context& context, store::CallNo no) {
    (void)co_await context.store.interrupt_call(no);
}

// However the handler is left, the call does not stay "running".
class Claim {
public:
    Claim(Context& context, store::CallNo no) : context_(context), no_(no) {}

    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

    ~Claim() {
        if (!settled_) {
            context_.background.spawn(interrupt(context_, no_));
        }
    }

    void settle() { settled_ = true; }

private:
    Context& context_;
    const store::CallNo no_;
    bool settled_ = false;
};

bool refused_for_good(const base::Error& error) {
    return base::http_status(error.errc) < kClientErrorsEnd;
}

void keep_answer(store::FinishedCall& finished, const Result<Reply>& reply) {
    if (!reply) {
        finished.status = base::http_status(reply.error().errc);
        finished.answer = web::error_body(reply.error());
    } else if (!reply->streamer && reply->body.size() <= store::kCallAnswerBytesMax) {
        finished.status = reply->status;
        finished.answer = reply->body;
    }
}

Task<Result<Reply>> carry_out(Context& context, Exchange& exchange, const RepeatableRoute& route, store::Call call) {
    Claim claim(context, call.no);
    Once once;
    once.made = std::move(call.made);
    auto reply = co_await route.act(context, exchange, &once);
    store::FinishedCall finished;
    finished.no = call.no;
    if (!reply && !once.did && refused_for_good(reply.error())) {
        claim.settle();
        (void)co_await context.store.forget_call(call.no);
    } else if (once.keep_answer && (reply || once.did)) {
        claim.settle();
        keep_answer(finished, reply);
        (void)co_await context.store.finish_call(std::move(finished));
    } else if (reply) {
        claim.settle();
        finished.made = std::move(once.made);
        context.background.spawn(finish(context, std::move(finished)));  // what was made can be found without it
    }
    co_return reply;
}

// What an earlier sending made; nothing when there is nothing yet.
Task<Result<std::optional<Reply>>> look_up(
    Context& context,
    Exchange& exchange,
    const RepeatableRoute& route,
    std::string made
) {
    if (route.look_up == nullptr) {
        co_return std::nullopt;
    }
    auto found = co_await route.look_up(context, exchange, std::move(made));
    if (found && *found) {
        co_return replayed(*std::move(*found));
    }
    co_return found;
}

}  // namespace

std::unexpected<base::Error> call_in_progress() {
    base::Error error;
    error.errc = Errc::conflict;
    error.message = "The same request is still being answered. Try again shortly.";
    error.code = "idempotency_in_progress";
    error.retry_after = std::chrono::seconds(1);
    return std::unexpected(std::move(error));
}

Task<Result<Reply>> act_once(Context& context, Exchange& exchange, const RepeatableRoute& route) {
    CO_TRY_VOID(check_key(exchange.request()));
    store::NewCall asked = describe(context, exchange, route);
    CO_TRY(auto call, co_await context.store.begin_call(asked));
    if (call.state == CallState::begun) {
        co_return co_await carry_out(context, exchange, route, std::move(call));
    }
    if (call.state == CallState::interrupted) {
        Claim claim(context, call.no);
        CO_TRY(auto found, co_await look_up(context, exchange, route, call.made));
        claim.settle();
        if (found) {
            let_go_of_quota(exchange.request());
            store::FinishedCall finished;
            finished.no = call.no;
            finished.made = std::move(call.made);
            context.background.spawn(finish(context, std::move(finished)));
            co_return *std::move(found);
        }
        if (!route.safe_to_redo) {
            CO_TRY_VOID(co_await context.store.forget_call(call.no));
            CO_TRY(call, co_await context.store.begin_call(std::move(asked)));
            if (call.state != CallState::begun) {
                co_return call_in_progress();
            }
        }
        co_return co_await carry_out(context, exchange, route, std::move(call));
    }
    let_go_of_quota(exchange.request());
    if (call.state == CallState::finished && (call.status != 0 || call.made.empty())) {
        co_return kept_answer(std::move(call));
    }
    CO_TRY(auto found, co_await look_up(context, exchange, route, call.made));
    if (found) {
        co_return *std::move(found);
    }
    if (call.state == CallState::running) {
        co_return call_in_progress();
    }
    co_return base::not_found("What this request made has been deleted meanwhile.", "not_found");
}

}  // namespace confab::api
