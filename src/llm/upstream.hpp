// Upstreams: the model servers Confab speaks to, and the catalogue of their models.
//
// The catalogue is one object for the process. Its snapshot is immutable and may be taken on any thread; it is replaced
// on the home shard, where at most one refresh is under way at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "net/http_client.hpp"
#include "net/task_group.hpp"
#include "net/wait_list.hpp"

namespace confab::llm {

class UpstreamSlots;

inline constexpr std::string_view kDemoModel = "confab-demo";
inline constexpr std::int64_t kContextTokensDefault = 32'768;

struct Upstream {
    enum class Source : std::uint8_t { config, stored };

    std::string name;
    std::string base_url;                         // ends without a slash, usually in /v1
    std::string api_key;                          // may be empty
    std::vector<std::string> models;              // names or patterns with '*'; empty: all
    std::string max_tokens_field = "max_tokens";  // how the server calls the output limit
    std::int64_t context_tokens = 0;              // the most of a model's context that is used; 0: all of it
    std::int64_t slots_max = 0;  // requests at once; 0: as many as the server bears
    Source source = Source::config;
    std::shared_ptr<UpstreamSlots> slots;  // of a configured server; stays when others come and go

    bool offers(std::string_view model) const;  // by the filter alone
};

using UpstreamPtr = std::shared_ptr<const Upstream>;  // null: the built-in demonstration

struct Model {
    std::string id;
    std::string owned_by;
    base::UnixSeconds created = 0;
    std::int64_t context_tokens = 0;  // as its server says; 0: it does not
};

// A model's context.
struct ContextWindow {
    std::int64_t tokens = kContextTokensDefault;
    bool known = false;  // configured, or told by the server; else a cautious guess
};

struct UpstreamState {
    UpstreamPtr upstream;
    std::vector<Model> models;  // after the filter
    bool ok = false;
    std::string error;  // why not, for people; empty before the first look
};

struct Catalog {
    std::vector<UpstreamState> upstreams;
    std::chrono::steady_clock::time_point refreshed_at{};
    bool refreshed = false;

    bool is_demo() const { return upstreams.empty(); }

    // The first model of the first server that has one; empty when there is none.
    std::string default_model() const;
    // The same among those that `known` admits.
    std::string default_model(const std::function<bool(const std::string&)>& known) const;
    // Whether a server lists the model, or it is the built-in one and there is no server.
    bool lists(std::string_view model) const;
    // Of a model at a server: what the server lists, but no more than is configured.
    ContextWindow window_of(const UpstreamPtr& upstream, const std::string& model) const;

    // The server for a model: the one that lists it, else the first whose filter admits it (servers list incompletely),
    // else the first. Error not_found (model_not_found) when there is no server at all and the model is not the
    // built-in one.
    base::Result<UpstreamPtr> resolve(const std::string& model) const;
};

using CatalogPtr = std::shared_ptr<const Catalog>;

// Checks a base URL and brings it into the form above. Error: invalid_request (param base_url).
base::Result<std::string> normalise_base_url(std::string_view url);

// Headers of every request to a server.
std::vector<std::string> request_headers(const Upstream& upstream, const std::string& traceparent = {});

// What a server lists at {base_url}/models, within `patience`. Errors as HttpCall, or what the server answered.
net::Task<base::Result<std::vector<Model>>> fetch_models(
    net::HttpClient& client,
    UpstreamPtr upstream,
    std::chrono::milliseconds patience
);

// Model servers that answer on the usual ports of this machine. Looks only when called.
net::Task<std::vector<UpstreamState>> discover_local(net::HttpClient& client);

class Upstreams {
public:
    // `client` is the home shard's.
    Upstreams(net::Executor home, net::HttpClient& client);

    CatalogPtr snapshot() const { return catalog_.load(); }

    // Replaces the set of servers. On the home shard. Nobody has looked at the new ones then: see fresh().
    void configure(std::vector<Upstream> upstreams);

    // The server for a model (Catalog::resolve). Waits for the first look at the servers when the answer depends on it.
    net::Task<base::Result<UpstreamPtr>> choose(std::string model);

    // A snapshot no older than `age_max`; servers that do not answer within 5 s are listed as not ok.
    net::Task<CatalogPtr> fresh(std::chrono::seconds age_max);

    // Waits for looks under way (5 s at most). On the home shard, before the end.
    net::Task<void> close();

private:
    net::Task<void> refresh_at_home(std::chrono::seconds age_max);
    net::Task<void> look_once();
    net::Task<void> refresh();
    net::Task<void> look(UpstreamState& state);

    net::Executor home_;
    net::HttpClient& client_;
    std::atomic<CatalogPtr> catalog_;
    net::TaskGroup tasks_;
    net::WaitList refreshed_;
    bool refreshing_ = false;
};

}  // namespace confab::llm
