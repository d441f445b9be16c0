// What an error status of a model server means for our own clients.
#pragma once

#include <string_view>

#include "base/error.hpp"
#include "net/http_client.hpp"

namespace confab::llm {

struct Upstream;

// 400, 404, 413, 422 and 429 are passed on with the server's words and code, for the caller can act on them. 401 and
// 403 become 502 (upstream_refused_key): it is Confab's key that was refused, not the caller's. Everything else becomes
// 502 (upstream_error). The server's key never appears in the message.
base::Error error_from_answer(const Upstream& upstream, const net::HttpHead& head, std::string_view body);

}  // namespace confab::llm
