// What the handlers of one shard have at hand. Everything outlives the server's listeners.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "auth/authenticator.hpp"
#include "chat/runs.hpp"
#include "llm/upstream.hpp"
#include "meter/counters.hpp"
#include "meter/title_counters.hpp"
#include "net/http_client.hpp"
#include "net/task_group.hpp"
#include "store/blob_disk.hpp"
#include "store/store.hpp"
#include "web/router.hpp"

namespace confab::transfer {
class ImportService;
}

namespace confab::api {

using base::Result;
using net::Task;
using web::Exchange;
using web::Reply;

class UpstreamRegistry;

struct Context {
    net::Shard& shard;
    store::Store& store;
    auth::Accounts& accounts;
    auth::Authenticator& authenticator;
    chat::RunService& runs;
    chat::RunDirectory& directory;
    llm::Upstreams& upstreams;
    UpstreamRegistry& registry;
    net::HttpClient& client;
    net::TaskGroup& background;  // exchanges that outlast their handler
    meter::Counters& counters;
    meter::ByteBudget& budget;
    const std::atomic<bool>& draining;
    std::string version;
    store::BlobDisk& blobs;
    meter::TitleCounters& titles;
    transfer::ImportService& imports;
    chat::TokenCalibration& calibration;
    // Closes, on every shard, the connections that serve requests of this user, but for the request with this id.
    std::function<void(std::int64_t user_no, std::string except)> end_requests;
};

inline store::UserNo user_of(Exchange& exchange) {
    return store::UserNo(exchange.request().caller.user_no);
}

}  // namespace confab::api
