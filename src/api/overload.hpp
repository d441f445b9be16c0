// What is decided of a request's load from its head alone, before a byte of its body is read: 503 for the server's
// pressure, 429 for the user's quota, both with a Retry-After that differs from answer to answer.
#pragma once

#include "api/context.hpp"

namespace confab::api {

inline constexpr std::chrono::seconds kRunWaitMax{2};          // for one of the user's answers to end
inline constexpr std::chrono::milliseconds kRunLookEvery{20};  // whether one has

// What a request costs: what its route says, but that one whose body is larger than most routes take is an upload.
web::Load load_of(const web::Request& request, const web::Route& route);

// Before anybody is identified: whether the server has room for such requests at all. Error: unavailable (overloaded).
base::Status check_pressure(const Context& context, web::Load load);

// Afterwards: whether the user has. Takes the slot of an answer, or of a sign-in, into `request`; waits for one at most kRunWaitMax, in a
// line of at most meter::kUserWaitingMax. Errors: rate_limited (over_fair_share, user_runs_exceeded),
// unavailable (overloaded).
Task<base::Status> check_quota(Context& context, web::Request& request, web::Load load);

}  // namespace confab::api
