// Limits at the door: a request that makes an answer begins it on its person's allowance and on its key's, or is refused,
// before anything of its body is read. The answer's headers say what is left, in the words of OpenAI's API.
#pragma once

#include <string>

#include "auth/allowances.hpp"
#include "web/exchange.hpp"

namespace confab::api {

// Fills request.caller.ticket and the x-ratelimit headers. Error: rate_limited with code rate_limit_exceeded, or
// insufficient_quota when the month is used up; with a time to wait.
base::Status begin_answer(web::Request& request, const auth::Entitled& entitled);

// A time as OpenAI's headers write it: "0s", "20ms", "1s", "6m0s", "1h30m0s".
std::string render_reset(std::chrono::steady_clock::duration time);

}  // namespace confab::api
