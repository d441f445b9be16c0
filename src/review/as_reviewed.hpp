// A chat server in the way of the application whose review started Confab, to show that the review finds what was found
// then. It answers the few requests of the workload on the same database and the same model server.
//
// Its way: each visitor's session is a thread and remembers the conversation that it shows, whole. Every request runs
// the page anew, and with it the history is loaded whole. Every query opens a database connection and closes it. A
// client for the model server is made for a call, waits for the whole answer, and is thrown away. Nothing is paged,
// nothing streamed, nothing bounded. Everything else is done as well as Confab does it: the same rows, indexes and
// durability, the same language, a prompt of the newest messages only.
#pragma once

#include <string>

#include "base/error.hpp"

namespace confab::review {

struct AsReviewedOptions {
    std::string data_dir;   // with a confab.db
    std::string model_url;  // base URL of the model server, ends with /v1
};

// Listens on a free port of 127.0.0.1, prints "Listens on http://127.0.0.1:PORT" by `announce`, and serves until the
// process is ended. Returns only when it cannot listen.
base::Status serve_as_reviewed(const AsReviewedOptions& options, void (*announce)(const std::string& line));

}  // namespace confab::review
