// Idempotency-Key: a request that carries one is carried out once, however often it is sent within a day.
//
// The scope is the caller, the route and the key. A repetition gets what the first one made, with `idempotent-replayed:
// true`; while the first one is being answered, 409 (idempotency_in_progress), unless there is a stream to attach to. The
// same key with another body is 422 (idempotency_key_reused). What is refused before anything was made is forgotten, so
// that a corrected request may use the key again. A request without the header costs one look at its headers.
#pragma once

#include "api/context.hpp"

namespace confab::api {

inline constexpr std::string_view kIdempotencyKey = "idempotency-key";
inline constexpr std::size_t kIdempotencyKeyBytesMax = 255;  // printable ASCII

// What a request makes while it is carried out under a key.
struct Once {
    std::string made;          // first the id that was noted beforehand; the handler may put others in its place
    bool did = false;          // something was made: the key is not free again, even if an error follows
    bool keep_answer = false;  // what was made cannot be looked up again: the answer itself is kept
};

// A route that can be repeated.
struct RepeatableRoute {
    std::string_view pattern;
    // A new id for what it makes.
    std::string (*name)(Context& context);
    // Carries the request out; `once` is null without a key.
    Task<Result<Reply>> (*act)(Context& context, Exchange& exchange, Once* once);
    // What was made, looked up; nothing when it is not there, null when only a kept answer could be given again. Errors
    // are the answer.
    Task<Result<std::optional<Reply>>> (*look_up)(Context& context, Exchange& exchange, std::string made);
    // Acting again with the same name makes nothing twice.
    bool safe_to_redo = false;
};

Task<Result<Reply>> act_once(Context& context, Exchange& exchange, const RepeatableRoute& route);

// The handler of a repeatable route.
template <const RepeatableRoute& route>
Task<Result<Reply>> repeatable(Context& context, Exchange& exchange) {
    if (!exchange.request().has_header(kIdempotencyKey)) {
        return route.act(context, exchange, nullptr);
    }
    return act_once(context, exchange, route);
}

// Of a call that is being answered: official clients try again.
std::unexpected<base::Error> call_in_progress();

}  // namespace confab::api
