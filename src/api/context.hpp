// What the handlers of one shard have at hand. Everything outlives the server's listeners.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "api/metrics.hpp"
#include "auth/authenticator.hpp"
#include "chat/prices.hpp"
#include "chat/runs.hpp"
#include "chat/usage_book.hpp"
#include "llm/upstream.hpp"
#include "meter/byte_budget.hpp"
#include "meter/counters.hpp"
#include "meter/resource_history.hpp"
#include "net/http_client.hpp"
#include "net/task_group.hpp"
#include "store/audit_store.hpp"
#include "store/blob_disk.hpp"
#include "store/store.hpp"
#include "web/router.hpp"

namespace confab::auth {
class ModelAccess;
class OpenIdProvider;
class Sealer;
}

namespace confab::transfer {
class ImportService;
}

namespace confab::api {

using base::Result;
using net::Task;
using web::Exchange;
using web::Reply;

class AddressRate;
class UpstreamRegistry;

using auth::SignInOptions;

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
    meter::Pressure& pressure;
    const std::atomic<bool>& draining;
    std::string version;
    store::BlobDisk& blobs;
    transfer::ImportService& imports;
    chat::TokenCalibration& calibration;
    // Closes, on every shard, the connections that serve requests of this user, but for the request with this id.
    std::function<void(std::int64_t user_no, std::string except)> end_requests;
    const MeterSources& meters;
    const meter::ResourceHistory& history;
    auth::Allowances& allowances;
    chat::Prices& prices;
    chat::UsageBook& usage;
    const SignInOptions& sign_in;
    auth::ExternalPeople& people;
    auth::OpenIdProvider* openid;  // null: not configured
    const auth::Sealer& sealer;
    AddressRate& shared_rate;  // of those who read what is shared
    store::AuditStore& audit;
    AddressRate& refusals_audited;
    auth::ModelAccess& model_access;
};

inline store::UserNo user_of(Exchange& exchange) {
    return store::UserNo(exchange.request().caller.user_no);
}

// Whose answer it is, and what it was asked for with.
store::Payer payer_of(Exchange& exchange);

// Whether a model that a server lists is there for the caller's person; `may_ask_listed`: and for the key.
bool knows_listed(const Context& context, const web::Request& request, std::string_view model);
bool may_ask_listed(const Context& context, const web::Request& request, std::string_view model);
// The model of a chat that names none: the one the administrator set while a server lists it and the person may use it,
// else the first that is there for the person. Empty when there is none.
Task<Result<std::string>> default_model_of(Context& context, const web::Request& request, llm::CatalogPtr catalog);
// Whether a model of any name is there for the person.
Task<bool> knows_model(Context& context, const web::Request& request, std::string model);
// The one check of every request that names a model to be asked. Errors: forbidden (model_not_allowed) for what the key
// may not ask; for what the person may not use, unknown_model.
Task<base::Status> check_model(Context& context, const web::Request& request, std::string model);
// not_found (model_not_found).
std::unexpected<base::Error> unknown_model(std::string_view model);

}  // namespace confab::api
