// POST /v1/responses: the request body -> a run.
#pragma once

#include "api/input.hpp"
#include "chat/runs.hpp"

namespace confab::api {

struct ResponseRequest {
    chat::RunRequest run;  // without its user and its input
    Input input;
    bool stream = false;
};

// Follows the facts of api/responses-facts.md, section 2. Unknown fields are ignored; a known one of a wrong type or
// value is named.
base::Result<ResponseRequest> parse_response_request(const json::object& body);

}  // namespace confab::api
