// The door behind which an action is written down in the audit log: routes name what they are (Routes::add_audited),
// handlers say what it was done to (Request::audit), and this writes the row before the answer goes out.
#pragma once

#include "api/context.hpp"

namespace confab::api {

// Rows of refusals (wrong passwords, mostly) in a minute. More are not written: whoever tries passwords must not be able
// to push out of the log what matters.
inline constexpr std::uint32_t kRefusalsAuditedPerMinute = 30;

// Calls the handler, and writes down what was done, or that somebody was refused to come in.
Task<Result<Reply>> audited(
    Context& context,
    Exchange& exchange,
    Task<Result<Reply>> (*function)(Context&, Exchange&),
    std::string_view kind
);

}  // namespace confab::api
